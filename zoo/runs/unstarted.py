"""Folders of runs that were killed before they had a config.json."""

from __future__ import annotations

from pathlib import Path

from zoo.runs.folder import CHECKPOINTS
from zoo.runs.lock import LOCK
from zoo.system.partial import is_partial

TRACKER = "tensorboard"


def never_started(folder: Path) -> bool:
    """Whether a folder is empty, or has only what a killed training leaves before config.json."""
    if not folder.is_dir() or folder.is_symlink():
        return False
    try:
        return all(_is_left(folder, path) for path in folder.iterdir())
    except OSError:
        return False


def _is_left(folder: Path, path: Path) -> bool:
    if path.is_symlink():
        return False
    if path == folder / CHECKPOINTS and path.is_dir():
        return all(inner == folder / LOCK or is_partial(inner) for inner in path.iterdir())
    if path == folder / TRACKER and path.is_dir():
        return all(_is_event(inner) for inner in path.rglob("*"))
    return is_partial(path)


def _is_event(path: Path) -> bool:
    return path.is_dir() or path.name.startswith("events.out.tfevents")
