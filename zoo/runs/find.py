"""The run folders below a folder."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from zoo.runs.checkpoints import find_checkpoints
from zoo.runs.folder import CHECKPOINTS, CONFIG, METRICS
from zoo.runs.links import FOLDERS
from zoo.runs.lock import is_locked
from zoo.runs.state import Damaged, read_json


def find_runs(folder: Path) -> list[Path]:
    """Returns ``folder`` itself, if it is a run, and the runs below it at any depth, sorted.

    A run has genzoo's config.json, or a damaged one, or lost it; or it is in training and has none
    yet. Hidden folders are left out. A link may be a run, and is not searched: it may lead
    anywhere.
    """
    runs, pending = [], [folder]
    while pending:
        current = pending.pop()
        if found := is_run(current):
            runs.append(current)
        for entry in _entries(current):
            path = Path(entry.path)
            if entry.name.startswith(".") or (found and entry.name in FOLDERS):
                continue
            if _is_folder(entry):
                pending.append(path)
            elif not found and entry.is_symlink() and is_run(path):
                runs.append(path)
    return sorted(runs)


def is_run(path: Path) -> bool:
    """Whether a folder is a run, however damaged."""
    if not os.path.lexists(path / CONFIG):
        return bool(find_checkpoints(path)) or is_locked(path)
    try:
        values = read_json(path / CONFIG)
    except Damaged:
        return True
    if not isinstance(values, dict) or not values or values.get("library_name") == "genzoo":
        return True
    return (path / CHECKPOINTS).is_dir() or (path / METRICS).exists()


def size_of(run: Path) -> int:
    """Returns the bytes of all files in a run folder; links are not followed."""
    size, pending = 0, [run]
    while pending:
        for entry in _entries(pending.pop()):
            if _is_folder(entry):
                pending.append(Path(entry.path))
            else:
                with contextlib.suppress(OSError):  # a training replaces files
                    size += entry.stat(follow_symlinks=False).st_size
    return size


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _entries(path: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return [*entries]
    except OSError:
        return []
