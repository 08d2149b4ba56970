"""The files below a folder, in one order on every machine."""

from __future__ import annotations

import os
from pathlib import Path

from zoo.errors import ZooError

PASSED_OVER = frozenset({"thumbs.db", "desktop.ini"})
"""What desktops leave in folders of pictures, in lower case; hidden files are passed over too."""


def files_below(root: Path) -> list[str]:
    """The files below ``root``, relative to it with ``/``, sorted; links are followed.

    Hidden files and folders, Thumbs.db and desktop.ini are passed over. Raises ZooError for a
    folder that cannot be read.
    """

    def fail(error: OSError) -> None:
        raise ZooError(f"{error.filename} cannot be read: {error.strerror}") from error

    found: list[str] = []
    seen: set[str] = set()
    for folder, folders, files in os.walk(root, onerror=fail, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:  # a link that leads back up would never end
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += (
            Path(folder, name).relative_to(root).as_posix()
            for name in files
            if not name.startswith(".") and name.lower() not in PASSED_OVER
        )
    return sorted(found)
