"""Pictures that people look at: sample grids and loss curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.files import replacing

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
    pixels = to_bytes(images)
    factor = max(1, _SMALL // pixels.shape[1])
    pixels = pixels.repeat(factor, axis=1).repeat(factor, axis=2)
    n, height, width, channels = pixels.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    margin = max(2, height // 8)
    step_y, step_x = height + margin, width + margin
    sheet = np.full(
        (rows * step_y + margin, columns * step_x + margin, channels), _GROUND, np.uint8
    )
    for i, one in enumerate(pixels):
        top, left = margin + i // columns * step_y, margin + i % columns * step_x
        sheet[top : top + height, left : left + width] = one
    return picture(sheet)


def save_png(path: Path, image: Image) -> None:
    """Write a PNG, whole or not at all."""
    with replacing(path) as beside:
        image.save(beside, format="PNG")


def save_curve(path: Path, lines: Sequence[Mapping[str, Any]], metric: str) -> None:
    """Draw a metric of metrics.jsonl over the steps, with its validation line where there is one.

    The range of the picture is that of the last nine tenths, so that the first steps of a run do
    not flatten the rest.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), dpi=120, layout="constrained")
    axes = figure.subplots()
    shown: list[float] = []
    for key, label, style in (
        (metric, "training", {"linewidth": 1.0}),
        (f"validation_{metric}", "validation", {"marker": "o", "markersize": 3}),
    ):
        points = [(line["step"], line[key]) for line in lines if key in line]
        if points:
            axes.plot(*zip(*points, strict=True), label=label, **style)
            shown += [value for _, value in points[len(points) // 10 :]]
    if shown:
        low, high = min(shown), max(shown)
        room = 0.05 * (high - low) or 0.1
        axes.set_ylim(low - room, high + room)
    axes.set(xlabel="step", ylabel=metric.replace("_", " "))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    with replacing(path) as beside:
        figure.savefig(beside, format="png")
