"""The files of a folder, without hidden files, genzoo's own output and what is linked twice."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.data.own_output import is_marked, is_run
from zoo.data.source import LeftOut
from zoo.errors import ZooError

IGNORED = frozenset({"thumbs.db", "desktop.ini"})
"""Files that desktops create, in lower case; hidden files are ignored too."""


@dataclass(frozen=True)
class Listing:
    """Files below ``root``: sorted paths relative to it with ``/``."""

    root: Path
    files: tuple[str, ...]
    left_out: tuple[LeftOut, ...] = ()


def list_files(root: Path) -> Listing:
    """Returns the files below ``root``; follows links.

    A folder that several links lead to is read once, where possible at its own path. Raises
    ZooError for a folder that cannot be read, for one whose name is not UTF-8, and for a run.
    """

    def fail(error: OSError) -> None:
        raise ZooError(f"{error.filename} cannot be read: {error.strerror}") from error

    paths: list[str] = []
    runs: list[str] = []
    marked: list[str] = []
    twice: list[LeftOut] = []
    visited: dict[str, str] = {}
    for folder, subfolders, files in os.walk(root, onerror=fail, followlinks=True):
        below = Path(folder).relative_to(root).as_posix()
        _check_name(folder)
        real = os.path.realpath(folder)
        if real in visited:  # perhaps a link to a parent folder, which would never end
            subfolders.clear()
            twice.append(LeftOut(below, f"a link to {visited[real]}, which is read already"))
            continue
        visited[real] = "the folder itself" if below == "." else below
        if "config.json" in files and is_run(Path(folder)):
            subfolders.clear()
            runs.append(below)
            continue
        subfolders[:] = sorted(
            (name for name in subfolders if not name.startswith(".")),
            key=lambda name: (os.path.islink(os.path.join(folder, name)), name),
        )
        for name in files:
            if name.startswith(".") or name.lower() in IGNORED:
                continue
            path = name if below == "." else f"{below}/{name}"
            is_own = name.lower().endswith(".png") and is_marked(Path(folder, name))
            (marked if is_own else paths).append(path)
    if runs == ["."]:
        raise ZooError(
            f"{root} is a run of genzoo, not data: name the folder of the images as data.source"
        )
    left_out = [
        *_one(runs, "run of genzoo", "runs of genzoo"),
        *_one(marked, "grid or plot by genzoo", "grids and plots by genzoo"),
        *twice,
    ]
    return Listing(root, tuple(sorted(paths)), tuple(left_out))


def counted(paths: Sequence[str], one: str, several: str) -> str:
    """Returns the path, or the number and the first of several: ``3 images (a.png, ...)``."""
    if len(paths) == 1:
        return f"the {one} {paths[0]}"
    return f"{len(paths):,} {several} ({paths[0]}, ...)"


def _one(paths: list[str], one: str, several: str) -> list[LeftOut]:
    return [LeftOut(counted(sorted(paths), one, several), "its own output")] if paths else []


def _check_name(folder: str) -> None:
    try:
        folder.encode()
    except UnicodeEncodeError as error:
        raise ZooError(
            f"the name of the folder {os.fsencode(folder)!r} is not UTF-8: rename it"
        ) from error
