"""The files of folders, to compare."""

from __future__ import annotations

from pathlib import Path

import zoo


def contents(folder: Path) -> dict[str, bytes | None]:
    """Every file below ``folder`` with its bytes, every folder with None."""
    return {
        str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
    }


def files_of(run: zoo.Run) -> dict[str, bytes]:
    """The files of a run that belong into a repository."""
    files = {name: data for name, data in contents(run.path).items() if data is not None}
    return {name: data for name, data in files.items() if not name.startswith("checkpoints/")}
