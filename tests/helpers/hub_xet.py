"""Large objects through Xet: hf_xet's own store in a folder stands in for the storage service.

hf_xet chunks, deduplicates, writes and reads that folder itself where the Hub names ``local://`` as
the address; nothing documents this, so ``missing`` says which versions are known to do it. The
shards, which say what was uploaded, are read as huggingface/hub-docs, docs/xet/shard.md, has them.
"""

from __future__ import annotations

import importlib.metadata
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

KNOWN = ("1.8",)
"""The versions of hf_xet that are known to have ``local://``."""
VERIFIED, WITH_METADATA = 1 << 31, 1 << 30
ENTRY = 48
_READ = """
import sys, hf_xet
url, name, size, path = sys.argv[1:]
known = {"endpoint": url, "token": "", "token_expiry_unix_secs": 1 << 40}
with hf_xet.XetSession().new_file_download_group(**known) as group:
    group.start_download_file(hf_xet.XetFileInfo(name, int(size)), path)
"""


def missing() -> str | None:
    """Why Xet cannot be tried here, or None."""
    try:
        version = importlib.metadata.version("hf-xet")
    except importlib.metadata.PackageNotFoundError:
        return "hf_xet is not installed"
    if version.rpartition(".")[0] in KNOWN:
        return None
    return f"hf_xet is {version}, and only {', '.join(KNOWN)} is known to have a store in a folder"


class XetStore:
    """What clients uploaded to ``folder``."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.url = f"local://{folder}"

    def hashes(self) -> dict[str, str]:
        """The Xet hash of every file, by its sha256."""
        shards = sorted((self.folder / "xet/xorbs/shards").glob("*.mdb"))
        return {sha256: name for shard in shards for name, sha256 in _files(shard.read_bytes())}

    def read(self, name: str, size: int) -> bytes:
        """The bytes of the file with this Xet hash, as hf_xet puts them together again."""
        path = self.folder / f"{name}.read"
        command = [sys.executable, "-c", _READ, self.url, name, str(size), str(path)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        content = path.read_bytes()
        path.unlink()
        return content


def _files(shard: bytes) -> Iterator[tuple[str, str]]:
    """The Xet hash and the sha256 of each file that a shard tells of."""
    at = ENTRY  # after the header
    while (name := shard[at : at + 32]) not in (b"\xff" * 32, b""):
        flags, count = struct.unpack_from("<II", shard, at + 32)
        at += ENTRY * (1 + count * (2 if flags & VERIFIED else 1))
        if flags & WITH_METADATA:
            yield _hex(name), _hex(shard[at : at + 32])
            at += ENTRY


def _hex(value: bytes) -> str:
    """A hash is four little-endian numbers."""
    return "".join(f"{number:016x}" for number in struct.unpack("<4Q", value))
