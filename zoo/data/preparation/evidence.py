"""The stored values of images, as evidence for their range."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from zoo.data.preparation.ranges import (
    BYTES,
    NARROW,
    TOLERANCE,
    UNIT,
    WORDS,
    Kind,
    Range,
    Ranges,
    extent,
    kind_of,
    setting,
)
from zoo.errors import ZooError

if TYPE_CHECKING:
    from zoo.data.source import StoredImage


@dataclass(frozen=True)
class Observed:
    """Values of the images of a kind: the extremes, whether all are integers, the number of pixels,
    and how many of them are above a range; ``dtype`` is that of the first image."""

    dtype: str
    low: float
    high: float
    integral: bool
    pixels: int
    above: int

    def merge(self, other: Observed) -> Observed:
        """Returns the values of both."""
        return Observed(
            self.dtype,
            min(self.low, other.low),
            max(self.high, other.high),
            self.integral and other.integral,
            self.pixels + other.pixels,
            self.above + other.above,
        )

    def contradicts(self, limits: Range) -> bool:
        """Whether the range must be that of other images: most values are above it, or all are in
        [0, 1] and it is that of integers."""
        fractions = not self.integral and self.high <= 1 + TOLERANCE
        return 2 * self.above > self.pixels or (fractions and max(limits) >= NARROW - 1)


def _observe(stored: StoredImage, location: str, limits: Range | None) -> Observed:
    """Returns the values of an image; ``limits`` is the range that is stated."""
    import numpy as np

    values = np.asarray(stored)
    low, high = extent(values, location)
    integral = values.dtype.kind in "biu" or bool((values == np.rint(values)).all())
    above = 0 if limits is None else int((values > max(limits)).sum())
    return Observed(values.dtype.name, low, high, integral, values.size, above)


_UNSEEN = Observed("uint8", 0, 255, True, 0, 0)


class StoredValues:
    """The values of the images of a survey, by kind."""

    def __init__(self, stated: Range | None) -> None:
        self._stated, self._observed = stated, dict[Kind, Observed]()

    def add(self, stored: StoredImage, location: str) -> Ranges:
        """Adds an image, and returns ranges to decode it with."""
        kind = kind_of(stored)
        if kind is Kind.BITS or (kind is Kind.BYTES and self._stated is None):
            self._observed.setdefault(kind, _UNSEEN)
            return Ranges()
        values = _observe(_colors(stored) if kind is Kind.BYTES else stored, location, self._stated)
        earlier = self._observed.get(kind)
        self._observed[kind] = values if earlier is None else earlier.merge(values)
        if kind is Kind.BYTES:
            return find_ranges({kind: values}, self._stated)
        own = (values.low, max(values.high, values.low + 1e-6))
        return Ranges(integers=own, floats=own, clip=True)

    def ranges(self, strict: bool, legacy: bool) -> Ranges:
        """Returns the ranges of all images; ``legacy``, those of runs before format version 3."""
        if legacy and self._stated is None:
            integers = self._observed.get(Kind.INTEGERS)
            is_list = integers is not None and integers.dtype == "int64"  # of pixels, in a cell
            return Ranges(integers=BYTES if is_list else WORDS, clip=True)
        return find_ranges(self._observed, self._stated, strict)

    def limits(self, ranges: Ranges) -> Range:
        """Returns the range of the images if they are all of one kind, else that of bytes."""
        (kind, *others) = self._observed
        return BYTES if others or kind is Kind.BITS else ranges.of(kind) or BYTES

    def found(self, ranges: Ranges) -> list[float] | None:
        """Returns a range that was found and is not that of the format."""
        for kind, natural in ((Kind.INTEGERS, WORDS), (Kind.FLOATS, UNIT)):
            if kind in self._observed and (limits := ranges.of(kind)) not in (natural, None):
                return [*limits]
        return None

    def notes(self, ranges: Ranges) -> list[str]:
        """Returns sentences on images that are not read as the user might think."""
        notes = []
        for kind, values in self._observed.items():
            if kind is Kind.BITS:
                continue
            black, white = ranges.of(kind) or UNIT
            if self._stated is not None and (black, white) != self._stated:
                notes.append(
                    f"data.value_range [{self._stated[0]:g}, {self._stated[1]:g}] cannot be that "
                    f"of images of {values.dtype}: {black:g} to {white:g} is used for them."
                )
            elif self._stated is None and values.dtype == "uint16" and white == BYTES[1]:
                notes.append(
                    f"The images have 16 bits and values of at most {values.high:g}, which are "
                    f"taken for 8 bits; {setting(*WORDS)} takes them for 16."
                )
        return notes


def find_ranges(
    observed: Mapping[Kind, Observed], stated: Range | None, strict: bool = True
) -> Ranges:
    """Returns the ranges that are ``stated``, or that the values are evidence for.

    A stated range does not apply to images whose values contradict it, which are those of another
    source. Raises ZooError, naming the readings and the setting, for values of an unknown range;
    unless ``strict``, dark images are taken as they are.
    """
    applies = {
        kind: stated is not None and not (kind in observed and observed[kind].contradicts(stated))
        for kind in Kind
    }
    ranges = Ranges(clip=stated is not None)
    if stated is not None and applies[Kind.BYTES] and 0 <= min(stated) < max(stated) <= 255:
        ranges = replace(ranges, bytes=stated)
    if stated is not None and applies[Kind.INTEGERS]:
        ranges = replace(ranges, integers=stated)
    elif values := observed.get(Kind.INTEGERS):
        ranges = replace(ranges, integers=_of_integers(values, strict))
    if stated is not None and applies[Kind.FLOATS]:
        ranges = replace(ranges, floats=stated)
    elif values := observed.get(Kind.FLOATS):
        ranges = replace(ranges, floats=_of_floats(values, strict))
    return ranges


def _of_integers(values: Observed, strict: bool) -> Range:
    low, high = values.low, values.high
    bits = int(high).bit_length()
    if low < 0 or bits > 16:
        raise _unknown(values)
    if high <= BYTES[1]:
        return BYTES
    if strict and (bits < 15 or values.dtype == "int16"):
        raise ZooError(
            f"the images are {values.dtype} with values of at most {high:g}: use "
            f"{setting(0, 2**bits - 1)} if they have {bits} bits, {setting(*WORDS)} if 16"
        )
    return WORDS


def _of_floats(values: Observed, strict: bool) -> Range:
    low, high = values.low, values.high
    if low >= -TOLERANCE and high <= 1 + TOLERANCE:
        if not (0 < high - low <= NARROW / 255 and strict):
            return UNIT
        raise ZooError(
            f"the images have floating-point values from {low:g} to {high:g}, nearly one shade: "
            f"use {setting(*UNIT)} if 1 is white, else the values that are black and white"
        )
    if low >= 0 and BYTES[1] / (4 if values.integral else 1.5) < high <= BYTES[1]:
        return BYTES
    raise _unknown(values)


def _unknown(values: Observed) -> ZooError:
    low, high = values.low, values.high
    example: Range = (min(low, 0), high)
    if -1.5 <= low <= 0 and 0.5 <= high <= 1.5:
        example = UNIT if low > -0.5 else (-1, 1)
    return ZooError(
        f"the images have values from {low:g} to {high:g}, the range of no format: state those "
        f"of black and white, for example {setting(*example)}"
    )


def _colors(stored: StoredImage) -> StoredImage:
    """Returns the colors of an image of 8 bits."""
    import numpy as np

    if isinstance(stored, np.ndarray):
        return stored[..., :-1] if stored.ndim == 3 and stored.shape[2] in (2, 4) else stored
    return stored.convert("L" if stored.mode in ("1", "L", "LA", "La") else "RGB")
