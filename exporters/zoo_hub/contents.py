"""The files of a run that are pushed and pulled, and their hashes as the Hub states them."""

from __future__ import annotations

import hashlib
import io
import re
from pathlib import Path

from zoo.runs.folder import CARD, CONFIG, CURVE, EVALUATION, GRID, METRICS, WEIGHTS

REQUIRED = (CONFIG, WEIGHTS)
GRAPHS = re.compile(r"onnx/[A-Za-z0-9_-]+\.(onnx|json)")
"""Exported graphs and the parity report beside each."""

_FILES = (CONFIG, WEIGHTS, CARD, EVALUATION, METRICS, GRID)


def belongs_to_run(name: str) -> bool:
    """Whether a file of this name is part of a pulled run; checkpoints never are."""
    return name in (*_FILES, CURVE) or GRAPHS.fullmatch(name) is not None


def files_of(run: Path) -> list[str]:
    """Names of the files of a run folder that are pushed; the curve only if the card shows it."""
    names = [name for name in _FILES if (run / name).is_file()]
    if (run / CURVE).is_file() and (run / CARD).is_file():
        names += [CURVE] if CURVE in (run / CARD).read_text("utf-8", errors="replace") else []
    exported = [path.relative_to(run).as_posix() for path in run.glob("onnx/*")]
    graphs = {name for name in exported if name.endswith(".onnx") and GRAPHS.fullmatch(name)}
    reports = {name for name in exported if name.removesuffix(".json") + ".onnx" in graphs}
    return [*names, *sorted(graphs | reports)]


def git_hash(data: Path | bytes) -> str:
    """Git's hash of a file, which the Hub states for files outside LFS."""
    header = b"blob %d\0" % size_of(data)
    with _opened(data) as file:
        return hashlib.file_digest(file, lambda: hashlib.sha1(header)).hexdigest()


def sha256(data: Path | bytes) -> str:
    """SHA-256 of a file, which the Hub states for files in LFS."""
    with _opened(data) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def matches(data: Path | bytes, stated: str) -> bool:
    """Whether a file has the hash that the Hub states; its length tells which kind it is."""
    return stated == (git_hash(data) if len(stated) == 40 else sha256(data))


def size_of(data: Path | bytes) -> int:
    """Size in bytes."""
    return len(data) if isinstance(data, bytes) else data.stat().st_size


def size_text(size: int) -> str:
    """``"512 B"``, ``"1.5 kB"``, ``"3.2 MB"``."""
    value, units = float(size), ["B", "kB", "MB", "GB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.0f} B" if units[0] == "B" else f"{value:.1f} {units[0]}"


def _opened(data: Path | bytes) -> io.BufferedReader | io.BytesIO:
    return io.BytesIO(data) if isinstance(data, bytes) else open(data, "rb")
