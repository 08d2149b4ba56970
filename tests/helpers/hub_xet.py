"""Large objects through Xet, with a store of hf_xet in a folder instead of the storage service.

hf_xet writes and reads that folder itself for the address ``local://``. This is not documented, so
``missing`` checks for versions that are known to do it. The shards that list uploads are parsed as
specified in huggingface/hub-docs, docs/xet/shard.md.
"""

from __future__ import annotations

import importlib.metadata
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

KNOWN = ("1.8",)
"""Versions of hf_xet that are known to support ``local://``."""
VERIFIED, WITH_METADATA = 1 << 31, 1 << 30
ENTRY = 48
_READ = """
import sys, hf_xet
url, name, size, path = sys.argv[1:]
options = {"endpoint": url, "token": "", "token_expiry_unix_secs": 1 << 40}
with hf_xet.XetSession().new_file_download_group(**options) as group:
    group.start_download_file(hf_xet.XetFileInfo(name, int(size)), path)
"""


def missing() -> str | None:
    """Reason why Xet is not available, or None."""
    try:
        version = importlib.metadata.version("hf-xet")
    except importlib.metadata.PackageNotFoundError:
        return "hf_xet is not installed"
    if version.rpartition(".")[0] in KNOWN:
        return None
    return f"hf_xet is {version}; only {', '.join(KNOWN)} is known to support a store in a folder"


class XetStore:
    """Objects that clients uploaded to ``folder``."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.url = f"local://{folder}"

    def hashes(self) -> dict[str, str]:
        """Xet hash of every file by its sha256."""
        shards = sorted((self.folder / "xet/xorbs/shards").glob("*.mdb"))
        return {sha256: name for shard in shards for name, sha256 in _files(shard.read_bytes())}

    def read(self, name: str, size: int) -> bytes:
        """Content of the file with this Xet hash, assembled by hf_xet."""
        path = self.folder / f"{name}.read"
        command = [sys.executable, "-c", _READ, self.url, name, str(size), str(path)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        content = path.read_bytes()
        path.unlink()
        return content


def _files(shard: bytes) -> Iterator[tuple[str, str]]:
    """Xet hash and sha256 of each file of a shard."""
    at = ENTRY  # after the header
    while (name := shard[at : at + 32]) not in (b"\xff" * 32, b""):
        flags, count = struct.unpack_from("<II", shard, at + 32)
        at += ENTRY * (1 + count * (2 if flags & VERIFIED else 1))
        if flags & WITH_METADATA:
            yield _hex(name), _hex(shard[at : at + 32])
            at += ENTRY


def _hex(value: bytes) -> str:
    """A hash, stored as four little-endian integers, in hexadecimal."""
    return "".join(f"{number:016x}" for number in struct.unpack("<4Q", value))
