"""genzoo's own output: marked where it is written, so that a folder of images can leave it out.

Grids, plots and contact sheets carry a text chunk; a run is known by its config.json. A single
generated image carries another text: it is an image like others, but said to be generated.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from PIL.PngImagePlugin import PngInfo

SOFTWARE = "genzoo"
"""The value of the text chunk ``Software``, and ``library_name`` of a run's config.json."""

_IMAGE = f"{SOFTWARE}, one image"
"""The value of the text chunk of a single generated image."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MARK = b"tEXtSoftware\0" + SOFTWARE.encode()
_HEAD = 512
"""Bytes at the start of a PNG that hold its text chunk, if genzoo wrote it."""

_MAX_CONFIG = 2**20


def png_mark(one_image: bool = False) -> PngInfo:
    """Returns the text chunk of a PNG with several images or a plot, or of ``one_image``, for
    Pillow's ``pnginfo``."""
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Software", _IMAGE if one_image else SOFTWARE)
    return info


def mark_of(path: str) -> Literal["sheet", "image"] | None:
    """Returns genzoo's mark of a PNG, None without one; reads the first bytes of the file only."""
    try:
        with open(path, "rb", buffering=0) as file:
            head = file.read(_HEAD)
    except OSError:  # said when the image is read
        return None
    if not head.startswith(_SIGNATURE) or _MARK not in head:
        return None
    return "image" if b"Software\0" + _IMAGE.encode() in head else "sheet"


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
