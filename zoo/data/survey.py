"""A look at some pictures: what "as they are" means for a set, and what to tell the user."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo.data.decode import Change, has_color, plain
from zoo.data.prepare import LARGEST_SIZE, Preparation, sizes_differ

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from zoo.config.sections import DataConfig
    from zoo.data.source import Pictures

LOOKED_AT = 64
"""How many pictures, spread over the training split, decide on channels and ground."""

_BRIGHT = 192
"""Visible parts brighter than this, on average, would vanish on white: they are laid on black."""


@dataclass(frozen=True)
class Survey:
    """How to prepare a set, and sentences on choices that the user may want to undo."""

    preparation: Preparation
    notes: tuple[str, ...]


def spread(count: int, most: int) -> NDArray[np.int64]:
    """At most ``most`` indices of ``count``, evenly spread, the first and last among them."""
    import numpy as np

    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def survey(config: DataConfig, pictures: Pictures) -> Survey:
    """What size, channels and ground the training ``pictures`` are brought to.

    ``config`` decides where it says; else the size is the first picture's, which must be square,
    and there are 3 channels if any picture looked at has colour, else 1. Transparent parts lie on
    white, or on black where what is visible is nearly white itself. Raises ZooError.
    """
    import numpy as np

    size, color, stored_color = config.size, False, False
    light = weight = 0.0
    for number in spread(len(pictures), LOOKED_AT):
        where = pictures.where(int(number))
        image, _ = plain(pictures.open(int(number)), where)
        if size is None:
            width, height = image.size
            if width != height or not 2 <= width <= LARGEST_SIZE:
                raise sizes_differ(where, image.size)
            size = width
        color = color or has_color(image)
        stored_color = stored_color or image.mode in ("RGB", "RGBA")
        if image.mode in ("LA", "RGBA"):
            alpha = np.asarray(image.getchannel("A"), dtype=np.float64)
            light += float((np.asarray(image.convert("L")) * alpha).sum())
            weight += float(alpha.sum())
    assert size is not None, "there is a first picture"
    notes = []
    if stored_color and not color and config.channels is None:
        notes.append(
            "The pictures are stored in colour but all that were looked at are grey, so they have "
            "one channel; --set data.channels=3 keeps three."
        )
    preparation = Preparation(
        size=size,
        channels=config.channels or (3 if color else 1),
        pad=config.pad,
        exact=config.size is None,
        ground=0 if weight and light / weight > _BRIGHT else 255,
    )
    return Survey(preparation, tuple(notes))


def tell(changes: Counter[Change], looked: int, total: int, made: Preparation) -> list[str]:
    """Sentences on what was done, from how many of ``looked`` pictures each change befell."""
    size = made.size
    done = {
        Change.TURNED: "turned upright as the camera noted",
        Change.DEPTH: "brought from 16 bits to 8",
        Change.SPACE: "converted to RGB from another colour space",
        Change.ALPHA: f"partly transparent and laid on {'white' if made.ground else 'black'}",
        Change.GRAYED: "in colour and made grey",
        Change.REPEATED: "grey and repeated in three channels",
        Change.PADDED: f"given a black border, to {size} pixels",
        Change.CROPPED: "cropped to the square at the centre",
        Change.SCALED: f"scaled to {size} pixels a side",
    }
    of = f"{looked:,} pictures" if looked == total else f"the {looked:,} pictures looked at"
    sentences = []
    for change, text in done.items():
        if count := changes[change]:
            who = f"{count:,} of {of}"
            if count == looked:
                who = f"All {of.removeprefix('the ')}" if count > 1 else "The only picture"
            sentences.append(f"{who} {'was' if count == 1 else 'were'} {text}.")
    return sentences
