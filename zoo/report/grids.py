"""Grids of images and of pairs of images."""

from __future__ import annotations

import math
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.data.folders.own_output import png_mark
from zoo.errors import UsageError
from zoo.sampling.checks import check_integer
from zoo.system.files import write_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

_SMALL = 64
"""Smaller images are enlarged, by an integer factor, to about this size in pixels."""

_BACKGROUND = 128


def to_bytes(images: NDArray[Any]) -> NDArray[np.uint8]:
    """Converts float ``[N, C, H, W]`` in [0, 1] to uint8 ``[N, H, W, C]``; NaN becomes 0."""
    pixels = np.rint(np.clip(np.nan_to_num(images), 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))


def pil_image(pixels: NDArray[np.uint8]) -> Image:
    """Converts uint8 ``[H, W, C]`` with one or three channels to a Pillow image."""
    from PIL import Image

    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def grid(images: Any, columns: int | None = None) -> Image:
    """Arranges images ``[N, C, H, W]`` in [0, 1], an array or a tensor, in a grid on gray, with a
    margin of an eighth of their size.

    Small images are enlarged; by default the grid is about square. Raises UsageError for anything
    but floating-point images of one or three channels, and for fewer than one column.
    """
    if columns is not None:
        columns = check_integer(columns, "columns", 1)
    pixels = enlarged(to_bytes(_as_images(images)))
    n, height, width, channels = pixels.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    margin = _margin(height)
    step_y, step_x = height + margin, width + margin
    sheet = np.full(
        (rows * step_y + margin, columns * step_x + margin, channels), _BACKGROUND, np.uint8
    )
    for i, image in enumerate(pixels):
        top, left = margin + i // columns * step_y, margin + i % columns * step_x
        sheet[top : top + height, left : left + width] = image
    return pil_image(sheet)


def _as_images(images: Any) -> NDArray[Any]:
    if hasattr(images, "detach"):  # a tensor of torch; numpy has no bfloat16
        images = images.detach().cpu().float() if images.is_floating_point() else images.cpu()
    values = np.asarray(images)
    if values.ndim != 4 or values.shape[1] not in (1, 3) or 0 in values.shape:
        raise UsageError(
            f"a grid needs images [N, C, H, W] of one or three channels, got {list(values.shape)}"
        )
    if values.dtype.kind != "f":
        raise UsageError(f"a grid needs float images in [0, 1], got {values.dtype}")
    return values


def columns_in(size: int, width: int) -> int:
    """Returns how many images of ``size`` pixels, 1 to 8, fit in a row of a grid that is ``width``
    pixels wide."""
    side = size * _factor(size)
    return min(8, max(1, (width - _margin(side)) // (side + _margin(side))))


def pairs(
    above: NDArray[Any], below: NDArray[Any], names: tuple[str, str], columns: int = 8
) -> Image:
    """Arranges each image of ``above`` over that of ``below``, both ``[N, C, H, W]`` in [0, 1], in
    rows of at most ``columns`` pairs, labeled with the two names."""
    from PIL import ImageDraw, ImageFont

    both = np.stack([enlarged(to_bytes(above)), enlarged(to_bytes(below))], axis=1)
    n, _, height, width, channels = both.shape
    columns = min(n, columns)
    margin, gap = _margin(height), max(1, height // 32)
    font = ImageFont.load_default(min(24, max(14, height // 8)))
    label_width = 2 * margin + math.ceil(max(font.getlength(name) for name in names))
    step_y, step_x = 2 * height + gap + 2 * margin, width + margin
    lines = math.ceil(n / columns)
    shape = (lines * step_y, label_width + columns * step_x, channels)
    sheet = np.full(shape, _BACKGROUND, np.uint8)
    tops = [margin + line * step_y + k * (height + gap) for line in range(lines) for k in (0, 1)]
    for i, pair in enumerate(both):
        left = label_width + i % columns * step_x
        for pixels, top in zip(pair, tops[i // columns * 2 :], strict=False):
            sheet[top : top + height, left : left + width] = pixels
    image = pil_image(sheet)
    draw = ImageDraw.Draw(image)
    for i, top in enumerate(tops):
        position = (label_width - margin, top + height // 2)
        draw.text(position, names[i % 2], fill="white", font=font, anchor="rm")
    return image


def enlarged(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Enlarges small images ``[N, H, W, C]`` by repeating pixels an integer number of times."""
    factor = _factor(pixels.shape[1])
    return pixels.repeat(factor, axis=1).repeat(factor, axis=2)


def _factor(size: int) -> int:
    return max(1, _SMALL // size)


def _margin(height: int) -> int:
    return max(2, height // 8)


def save_png(path: Path, image: Image, one_image: bool = False) -> None:
    """Writes a PNG atomically, with genzoo's mark of a sheet or of ``one_image``."""
    data = BytesIO()
    image.save(data, format="PNG", pnginfo=png_mark(one_image))
    write_bytes(path, data.getvalue())
