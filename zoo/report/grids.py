"""Pictures that people look at: grids of samples, and pairs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.system.files import replacing

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

_SMALL = 64
"""Pictures are enlarged, by a whole factor, until they are about this large."""

_GROUND = 128


def to_bytes(images: NDArray[Any]) -> NDArray[np.uint8]:
    """Float ``[N, C, H, W]`` in [0, 1] as uint8 ``[N, H, W, C]``; what is not a number is black."""
    whole = np.rint(np.clip(np.nan_to_num(images), 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(whole.transpose(0, 2, 3, 1))


def picture(image: NDArray[np.uint8]) -> Image:
    """uint8 ``[H, W, C]`` with one or three channels as a Pillow image."""
    from PIL import Image

    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)


def grid(images: NDArray[Any], columns: int | None = None) -> Image:
    """Pictures ``[N, C, H, W]`` in [0, 1] in rows on grey, with a margin of an eighth of their
    size, small ones enlarged by a whole factor. ``columns`` defaults to an about square grid."""
    pixels = enlarged(to_bytes(images))
    n, height, width, channels = pixels.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    margin = _margin(height)
    step_y, step_x = height + margin, width + margin
    sheet = np.full(
        (rows * step_y + margin, columns * step_x + margin, channels), _GROUND, np.uint8
    )
    for i, one in enumerate(pixels):
        top, left = margin + i // columns * step_y, margin + i % columns * step_x
        sheet[top : top + height, left : left + width] = one
    return picture(sheet)


def fitting(size: int, room: int) -> int:
    """How many pictures of ``size`` pixels, 1 to 8, have room in a row of a grid that is ``room``
    pixels wide."""
    side = size * _factor(size)
    return min(8, max(1, (room - _margin(side)) // (side + _margin(side))))


def pairs(
    above: NDArray[Any], below: NDArray[Any], names: tuple[str, str], columns: int = 8
) -> Image:
    """Each of the pictures ``above`` over its partner ``below``, both ``[N, C, H, W]`` in [0, 1],
    close to it and apart from other pairs, in lines of at most ``columns`` pairs that begin with
    the two names."""
    from PIL import ImageDraw, ImageFont

    both = np.stack([enlarged(to_bytes(above)), enlarged(to_bytes(below))], axis=1)
    n, _, height, width, channels = both.shape
    columns = min(n, columns)
    margin, gap = _margin(height), max(1, height // 32)
    font = ImageFont.load_default(min(24, max(14, height // 8)))
    gutter = 2 * margin + math.ceil(max(font.getlength(name) for name in names))
    step_y, step_x = 2 * height + gap + 2 * margin, width + margin
    lines = math.ceil(n / columns)
    sheet = np.full((lines * step_y, gutter + columns * step_x, channels), _GROUND, np.uint8)
    tops = [margin + line * step_y + k * (height + gap) for line in range(lines) for k in (0, 1)]
    for i, pair in enumerate(both):
        left = gutter + i % columns * step_x
        for one, top in zip(pair, tops[i // columns * 2 :], strict=False):
            sheet[top : top + height, left : left + width] = one
    image = picture(sheet)
    draw = ImageDraw.Draw(image)
    for i, top in enumerate(tops):
        place = (gutter - margin, top + height // 2)
        draw.text(place, names[i % 2], fill="white", font=font, anchor="rm")
    return image


def enlarged(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """``[N, H, W, C]`` with each pixel repeated, by the same whole factor both ways, where the
    pictures are small."""
    factor = _factor(pixels.shape[1])
    return pixels.repeat(factor, axis=1).repeat(factor, axis=2)


def _factor(size: int) -> int:
    return max(1, _SMALL // size)


def _margin(height: int) -> int:
    return max(2, height // 8)


def save_png(path: Path, image: Image) -> None:
    """Write a PNG, whole or not at all."""
    with replacing(path) as beside:
        image.save(beside, format="PNG")
