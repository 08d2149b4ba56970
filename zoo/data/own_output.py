"""genzoo's own output: marked where it is written, so that a folder of images can leave it out.

Grids, plots and contact sheets carry a text chunk; a run is known by its config.json. Single
generated images carry no mark: they are images like others.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.PngImagePlugin import PngInfo

SOFTWARE = "genzoo"
"""The value of the text chunk ``Software``, and ``library_name`` of a run's config.json."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MARK = b"tEXtSoftware\0" + SOFTWARE.encode()
_HEAD = 512
"""Bytes at the start of a PNG that hold its text chunk, if genzoo wrote it."""

_MAX_CONFIG = 2**20


def png_mark() -> PngInfo:
    """Returns the text chunk of a PNG with several images or a plot, for Pillow's ``pnginfo``."""
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Software", SOFTWARE)
    return info


def is_marked(path: Path) -> bool:
    """Whether a file is a PNG with genzoo's mark; reads its first bytes only."""
    try:
        with path.open("rb", buffering=0) as file:
            head = file.read(_HEAD)
    except OSError:  # said when the image is read
        return False
    return head.startswith(_SIGNATURE) and _MARK in head


def is_run(folder: Path) -> bool:
    """Whether ``folder`` is a run: its config.json names genzoo."""
    path = folder / "config.json"
    try:
        if path.stat().st_size > _MAX_CONFIG:
            return False
        config = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(config, dict) and config.get("library_name") == SOFTWARE
