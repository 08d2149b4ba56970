"""A look at some images of a dataset: the shape that it is brought to, and notes for the user."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.data.preparation.decode import Change, has_color, plain
from zoo.data.preparation.evidence import StoredValues
from zoo.data.preparation.prepare import MAX_SIZE, Preparation, SizesDiffer
from zoo.data.preparation.ranges import BYTES, Range, stated_range
from zoo.data.preparation.transparency import Transparency
from zoo.data.preparation.values import Values, check_span, check_values
from zoo.data.spread import spread

if TYPE_CHECKING:
    from zoo.config.sections import DataConfig
    from zoo.data.source import StoredImages

MIN_CHECKED = 20
"""Fewer images of a validation or test split may be dark by chance."""

SURVEYED = 64
"""The number of images, spread over the training split, that determine channels and background."""


@dataclass(frozen=True)
class Survey:
    """The preparation of a dataset, and notes on choices that the user may want to change.

    ``value_range`` is data.value_range if it is set, or the range that was found if it is not that
    of the format, else None. ``limits`` are the stored values that become 0 and 255;
    ``transparent`` is whether an image has an alpha channel.
    """

    preparation: Preparation
    notes: tuple[str, ...]
    value_range: list[float] | None = None
    limits: Range = BYTES
    transparent: bool = False

    def resolved(self, config: DataConfig, changes: Iterable[Change]) -> DataConfig:
        """Returns ``config`` with the range and the background of images that had ``changes``."""
        update: dict[str, Any] = {"value_range": self.value_range}
        if self.transparent or Change.ALPHA in changes:
            update["background"] = "white" if self.preparation.background else "black"
        return config.model_copy(update=update)

    def check(self, config: DataConfig, values: Mapping[str, Values]) -> list[str]:
        """Returns notes on the values of the training images, of ``values`` by split.

        Raises ZooError for values of a split that are evidence of another range.
        """
        known = config.value_range is not None or config.split_rule == "position"
        notes = []
        for split, of_split in values.items():
            if split == "train":
                notes = check_values(of_split, self.limits, config.bits, known)
            elif not known and of_split.images >= MIN_CHECKED:
                check_span(of_split, self.limits, split)
        return notes


def survey(
    config: DataConfig,
    images: StoredImages,
    others: Sequence[StoredImages] = (),
    strict: bool = True,
) -> Survey:
    """Returns the size, channels, values and background that training ``images`` are brought to.

    Settings of ``config`` win. Otherwise the size is that of the first image, which must be square,
    and there are 3 channels if any surveyed image has color, else 1. Transparent parts are laid on
    white, or on black if the visible parts are nearly white. The stored values of black and white
    are found from ``others`` too, the images of other splits. Raises ZooError.
    """
    stated = stated_range(config.value_range)
    strict = strict and config.split_rule != "position"
    size, color, stored_color = config.size, False, False
    values, alpha = StoredValues(stated), Transparency(config.background)
    for number in spread(len(images), SURVEYED):
        location = images.location(int(number))
        stored = images.open(int(number))
        image, _ = plain(stored, location, values.add(stored, location))
        if size is None:
            width, height = image.size
            if width != height or not 2 <= width <= MAX_SIZE:
                raise SizesDiffer(location, image)
            size = width
        color = color or has_color(image)
        stored_color = stored_color or image.mode in ("RGB", "RGBA")
        alpha.add(stored, image, location)
    for part in others:
        for number in spread(len(part), SURVEYED // 4):
            values.add(part.open(int(number)), part.location(int(number)))
    assert size is not None, "images is not empty"
    notes = []
    if stored_color and not color and config.channels is None:
        notes.append(
            "The images are stored in color but all that were checked are gray: one channel is "
            "used; --set data.channels=3 keeps three."
        )
    if strict:
        alpha.check()
    ranges = values.ranges(strict, legacy=config.split_rule == "position")
    preparation = Preparation(
        size=size,
        channels=config.channels or (3 if color else 1),
        pad=config.pad,
        exact=config.size is None,
        background=alpha.background,
        ranges=ranges,
    )
    return Survey(
        preparation,
        (*notes, *values.notes(ranges)),
        config.value_range or values.found(ranges),
        values.limits(ranges),
        alpha.transparent,
    )


def describe_changes(
    changes: Counter[Change], decoded: int, total: int, preparation: Preparation
) -> list[str]:
    """Returns a sentence for each change, with its number among the ``decoded`` images."""
    size = preparation.size
    phrases = {
        Change.FIRST_FRAME: "of several frames or pages, of which the first is used",
        Change.ROTATED: "rotated by the EXIF orientation",
        Change.DEPTH: "converted to 8 bits",
        Change.RANGE: "read with {:g} as black and {:g} as white".format(*preparation.ranges.bytes),
        Change.CLIPPED: "clipped to data.value_range, which some of their values are outside",
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
