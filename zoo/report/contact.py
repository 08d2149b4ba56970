"""A contact sheet: images of each class of a dataset, in rows with the names of the classes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import printable
from zoo.report.dataset import NO_LABEL
from zoo.report.grids import enlarged

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from zoo.data.dataset import Dataset, Split

COLUMNS = 10
MAX_ROWS = 30
"""Maximum number of classes shown, spread over all."""

_GAP = 4
_LETTERS = 24
_FONT_SIZE = 15
_FOREGROUND, _BACKGROUND = (32, 32, 32), (255, 255, 255)


def contact_sheet(data: Dataset) -> Image:
    """Returns up to 10 training images of each class in a row, with its name and count.

    Without classes the rows are the splits. Images are spread over those of the row.
    """
    from PIL import Image, ImageDraw, ImageFont

    rows = _rows(data)
    # The font of matplotlib has letters that Pillow's own lacks.
    from matplotlib import get_data_path

    font = ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf", _FONT_SIZE)
    strips = [_strip(split, indices) for _, split, indices in rows]
    side = strips[0].shape[1]
    texts = [_shortened(title) for title, _, _ in rows]
    label_width = 4 * _GAP + math.ceil(max(font.getlength(text) for text in texts))
    step = max(side, 2 * _FONT_SIZE) + _GAP
    width = label_width + COLUMNS * (side + _GAP)
    sheet = Image.new("RGB", (width, len(rows) * step + _GAP), _BACKGROUND)
    canvas = ImageDraw.Draw(sheet)
    for row, (text, strip) in enumerate(zip(texts, strips, strict=True)):
        top = _GAP + row * step
        canvas.text((2 * _GAP, top + side // 2), text, fill=_FOREGROUND, font=font, anchor="lm")
        for column, pixels in enumerate(strip):
            sheet.paste(Image.fromarray(pixels), (label_width + column * (side + _GAP), top))
    return sheet


def _rows(data: Dataset) -> list[tuple[str, Split, NDArray[np.int64]]]:
    """Returns title, split and chosen indices of each row."""
    names, train = data.image_spec.class_names, data.splits["train"]
    if not names:
        return [
            (f"{name} ({len(split):,})", split, _spread(np.arange(len(split)), COLUMNS))
            for name, split in data.splits.items()
            if len(split)
        ]
    classes = [*_spread(np.arange(len(names)), MAX_ROWS)]
    titles = {int(label): names[label] for label in classes}
    if (train.labels < 0).any():
        titles[-1] = NO_LABEL
    rows = []
    for label, name in titles.items():
        members = np.flatnonzero(train.labels == label)
        rows.append((f"{name} ({len(members):,})", train, _spread(members, COLUMNS)))
    return rows


def _spread(values: NDArray[np.int64], maximum: int) -> NDArray[np.int64]:
    if not len(values):
        return values
    positions = np.linspace(0, len(values) - 1, min(len(values), maximum)).round().astype(int)
    return values[positions]


def _strip(split: Split, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Returns the images at ``indices`` in color, uint8 ``[n, side, side, 3]``."""
    images = np.stack([split[int(index)][0] for index in indices]).transpose(0, 2, 3, 1)
    pixels = enlarged(np.ascontiguousarray(images)).repeat(3 // images.shape[-1], axis=-1)
    reduce = max(1, pixels.shape[1] // 128)
    return np.ascontiguousarray(pixels[:, ::reduce, ::reduce])


def _shortened(title: str) -> str:
    """Returns a title of at most 24 letters besides its count."""
    name, _, count = title.rpartition(" (")
    name = printable(name)
    return f"{name if len(name) <= _LETTERS else name[: _LETTERS - 1] + '…'} ({count}"
