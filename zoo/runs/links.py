"""Links in a run folder: none leads out of it, for a run may come from a stranger."""

from __future__ import annotations

import os
from pathlib import Path

from zoo.errors import ZooError

FOLDERS = ("", "checkpoints", "samples", "onnx")
"""Folders of a run in which genzoo reads and writes; "" is the run folder itself."""


def check_links(run: Path) -> None:
    """Raises ZooError for a link to something outside of the folder ``run``, which may itself be a
    link. Files in the cache of huggingface_hub are links to others of the same repository."""
    root = _root(Path(os.path.realpath(run)))
    for name in FOLDERS:
        folder = run / name
        for path in [folder, *_entries(folder)] if name else _entries(folder):
            if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(root):
                raise ZooError(
                    f"{path} is a link that leads out of the run: replace it by what it leads to"
                )


def _entries(folder: Path) -> list[Path]:
    try:
        paths = sorted(folder.iterdir())
    except OSError:
        return []
    if folder.name != "checkpoints":
        return paths
    inner = [_entries(path) for path in paths if path.is_dir() and not path.is_symlink()]
    return [*paths, *(path for part in inner for path in part)]


def _root(run: Path) -> Path:
    """The folder of the repository for a snapshot in the cache, else ``run``."""
    parent = run.parent
    if parent.name == "snapshots" and parent.parent.name.startswith("models--"):
        return parent.parent
    return run
