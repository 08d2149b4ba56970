"""A look at some images of a dataset: the shape that it is brought to, and notes for the user."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo.data.decode import Change, has_color, plain
from zoo.data.prepare import MAX_SIZE, Preparation, sizes_differ

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from zoo.config.sections import DataConfig
    from zoo.data.source import StoredImages

SURVEYED = 64
"""The number of images, spread over the training split, that determine channels and background."""

_BRIGHT = 192
"""Visible parts that are brighter on average would vanish on white, and are laid on black."""


@dataclass(frozen=True)
class Survey:
    """The preparation of a dataset, and notes on choices that the user may want to change."""

    preparation: Preparation
    notes: tuple[str, ...]


def spread(count: int, maximum: int) -> NDArray[np.int64]:
    """Returns at most ``maximum`` indices below ``count``, evenly spaced, both ends included."""
    import numpy as np

    return np.unique(np.linspace(0, count - 1, min(count, maximum)).round().astype(np.int64))


def survey(config: DataConfig, images: StoredImages) -> Survey:
    """Returns the size, channels and background that training ``images`` are brought to.

    Settings of ``config`` win. Otherwise the size is that of the first image, which must be square,
    and there are 3 channels if any surveyed image has color, else 1. Transparent parts are laid on
    white, or on black if the visible parts are nearly white. Raises ZooError.
    """
    import numpy as np

    size, color, stored_color = config.size, False, False
    light = weight = 0.0
    for number in spread(len(images), SURVEYED):
        location = images.location(int(number))
        image, _ = plain(images.open(int(number)), location)
        if size is None:
            width, height = image.size
            if width != height or not 2 <= width <= MAX_SIZE:
                raise sizes_differ(location, image.size)
            size = width
        color = color or has_color(image)
        stored_color = stored_color or image.mode in ("RGB", "RGBA")
        if image.mode in ("LA", "RGBA"):
            alpha = np.asarray(image.getchannel("A"), dtype=np.float64)
            light += float((np.asarray(image.convert("L")) * alpha).sum())
            weight += float(alpha.sum())
    assert size is not None, "images is not empty"
    notes = []
    if stored_color and not color and config.channels is None:
        notes.append(
            "The images are stored in color but all that were checked are gray: one channel is "
            "used; --set data.channels=3 keeps three."
        )
    preparation = Preparation(
        size=size,
        channels=config.channels or (3 if color else 1),
        pad=config.pad,
        exact=config.size is None,
        background=0 if weight and light / weight > _BRIGHT else 255,
    )
    return Survey(preparation, tuple(notes))


def describe_changes(
    changes: Counter[Change], decoded: int, total: int, preparation: Preparation
) -> list[str]:
    """Returns a sentence for each change, with its number among the ``decoded`` images."""
    size = preparation.size
    phrases = {
        Change.ROTATED: "rotated by the EXIF orientation",
        Change.DEPTH: "converted from 16 bits to 8",
        Change.COLOR_SPACE: "converted to RGB from another color space",
        Change.ALPHA: "partly transparent and laid on "
        f"{'white' if preparation.background else 'black'}",
        Change.GRAYED: "converted from color to gray",
        Change.REPEATED: "gray and repeated in three channels",
        Change.PADDED: f"given a black border, to {size} pixels",
        Change.CROPPED: "cropped to the center square",
        Change.SCALED: f"scaled to {size} pixels a side",
    }
    images = f"{decoded:,} images" if decoded == total else f"the {decoded:,} images checked"
    sentences = []
    for change, phrase in phrases.items():
        if count := changes[change]:
            subject = f"{count:,} of {images}"
            if count == decoded:
                subject = f"All {images.removeprefix('the ')}" if count > 1 else "The only image"
            sentences.append(f"{subject} {'was' if count == 1 else 'were'} {phrase}.")
    return sentences
