"""Which files of a run travel: those that say what it is, and no others."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from zoo.runs.folder import CARD, CONFIG, CURVE, EVALUATION, GRID, METRICS, WEIGHTS

NEEDED = (CONFIG, WEIGHTS)
GRAPHS = re.compile(r"onnx/[A-Za-z0-9_-]+\.(onnx|json)")
"""Exported graphs, and the parity reports beside them."""

_ALWAYS = (CONFIG, WEIGHTS, CARD, EVALUATION, METRICS, GRID)
_PARTS = 2**20


def travels(name: str) -> bool:
    """Whether a repository's file of this name is one of a run's; checkpoints never are."""
    return name in (*_ALWAYS, CURVE) or GRAPHS.fullmatch(name) is not None


def files_of(run: Path) -> list[str]:
    """The names of what a push sends of a run folder, in their order; the curve goes along where
    the card shows it."""
    names = [name for name in _ALWAYS if (run / name).is_file()]
    if (run / CURVE).is_file() and (run / CARD).is_file():
        names += [CURVE] if CURVE in (run / CARD).read_text("utf-8", errors="replace") else []
    found = sorted(path.relative_to(run).as_posix() for path in run.glob("onnx/*"))
    graphs = {name for name in found if name.endswith(".onnx") and GRAPHS.fullmatch(name)}
    reports = {name for name in found if name.removesuffix(".json") + ".onnx" in graphs}
    return [*names, *sorted(graphs | reports)]


def git_hash(data: Path | bytes) -> str:
    """What git, and so the Hub, calls a file that is kept as it is: SHA-1 with a header."""
    return _digest(data, hashlib.sha1(b"blob %d\0" % size_of(data)))


def sha256(data: Path | bytes) -> str:
    """What the Hub calls a large file."""
    return _digest(data, hashlib.sha256())


def _digest(data: Path | bytes, digest: hashlib._Hash) -> str:
    if isinstance(data, bytes):
        digest.update(data)
        return digest.hexdigest()
    with open(data, "rb") as file:
        while part := file.read(_PARTS):
            digest.update(part)
    return digest.hexdigest()


def hash_like(data: Path | bytes, known: str) -> str:
    """The hash of a file of the kind that ``known`` is, by its length."""
    return sha256(data) if len(known) == 64 else git_hash(data)


def size_of(data: Path | bytes) -> int:
    """How many bytes a file has."""
    return len(data) if isinstance(data, bytes) else data.stat().st_size


def size_text(size: int) -> str:
    """``"512 B"``, ``"1.5 kB"``, ``"3.2 MB"``."""
    value, units = float(size), ["B", "kB", "MB", "GB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.0f} B" if units[0] == "B" else f"{value:.1f} {units[0]}"
