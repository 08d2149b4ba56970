"""Contents of folders."""

from __future__ import annotations

from pathlib import Path

import zoo


def contents(folder: Path) -> dict[str, bytes | None]:
    """Returns the bytes of every file below ``folder``, and None for every folder."""
    return {
        str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
    }


def files_of(run: zoo.Run) -> dict[str, bytes]:
    """Returns the files of a run that are pushed to a repository."""
    files = {name: data for name, data in contents(run.path).items() if data is not None}
    return {name: data for name, data in files.items() if not name.startswith("checkpoints/")}
