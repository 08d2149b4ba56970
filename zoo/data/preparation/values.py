"""The pixel values of prepared images, and evidence in them against their range."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo.data.preparation.ranges import BYTES, NARROW, Range, setting
from zoo.errors import ZooError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DARK = 31
"""Values that span no more, an eighth of the range, are noted."""

FEW = 16
"""So few levels are noted, if there are at least MANY_PIXELS."""

MANY_PIXELS = 10_000

_OUTLIERS = 1e-3
_CHUNK = 2**20


@dataclass(frozen=True, eq=False)
class Values:
    """How often each of the values 0 to 255 occurs in prepared images: ``counts`` int64 [256]."""

    counts: NDArray[np.int64]
    images: int

    @property
    def min(self) -> int:
        return int(self.counts.nonzero()[0][0])

    @property
    def max(self) -> int:
        return int(self.counts.nonzero()[0][-1])

    @property
    def distinct(self) -> int:
        """The number of values that occur."""
        return int((self.counts > 0).sum())

    @property
    def bulk(self) -> tuple[int, int]:
        """The extremes without a thousandth of the pixels at either end."""
        import numpy as np

        total = self.counts.cumsum() / self.counts.sum()
        return (
            int(np.searchsorted(total, _OUTLIERS, "right")),
            int(np.searchsorted(total, 1 - _OUTLIERS)),
        )

    def as_json(self) -> dict[str, int]:
        return {"min": self.min, "max": self.max, "distinct": self.distinct}


def values_of(images: NDArray[np.uint8]) -> Values:
    """Returns the values of images uint8, in at most half a second per 2^28 pixels."""
    import numpy as np

    pixels, counts = images.reshape(-1), np.zeros(256, np.int64)
    for start in range(0, len(pixels), _CHUNK):
        counts += np.bincount(pixels[start : start + _CHUNK], minlength=256)
    return Values(counts, len(images))


def check_values(
    values: Values, limits: Range = BYTES, bits: int = 8, stated: bool = False
) -> list[str]:
    """Returns notes on values of training images that use little of the range ``limits``, the
    stored values of black and white.

    Raises ZooError for values that span a sixteenth of it, unless it is ``stated`` by the user.
    """
    low, high, (black, white) = values.min, values.max, limits
    first, last = _stored(low, limits), _stored(high, limits)
    if low == high:
        return [f"All pixels of the training images have the value {first:g}: check the data."]
    if not stated:
        check_span(values, limits, "training")
    span = f"values {first:g} to {last:g} of {black:g} to {white:g}"
    if high - low <= DARK:
        advice = "" if stated else f"; {setting(0, last)} makes the largest white"
        return [f"The training images have only {span}{advice}."]
    inner_low, inner_high = (_stored(value, limits) for value in values.bulk)
    if values.bulk[1] - values.bulk[0] <= NARROW:
        return [
            f"Nearly all pixels of the training images have values {inner_low:g} to "
            f"{inner_high:g} of {black:g} to {white:g}: check data.value_range."
        ]
    distinct, pixels = values.distinct, int(values.counts.sum())
    if distinct <= FEW and pixels >= MANY_PIXELS and (needed := _bits(values)) < bits:
        advice = f": --set data.bits={needed} models them as such" if needed else ""
        return [f"The training images have only {distinct} of 256 values{advice}."]
    return []


def check_span(values: Values, limits: Range, split: str) -> None:
    """Raises ZooError for values that are not all equal but span a sixteenth of a range."""
    low, high, (black, white) = values.min, values.max, limits
    if not 0 < high - low <= NARROW:
        return
    first, last = _stored(low, limits), _stored(high, limits)
    example = (0, last) if low <= high / 4 else (first, last)
    raise ZooError(
        f"the {split} images have only values {first:g} to {last:g} of {black:g} to {white:g}: use "
        f"{setting(*example)} if {last:g} is white, {setting(*limits)} if {white:g} is"
    )


def _stored(value: int, limits: Range) -> float:
    """Returns a prepared value as stored, rounded to three digits or an integer."""
    stored = limits[0] + value / 255 * (limits[1] - limits[0])
    return round(stored) if abs(limits[1] - limits[0]) >= 255 else float(f"{stored:.3g}")


def _bits(values: Values) -> int:
    """Returns the least number of bits that distinguish the values, 0 if fewer than 8 do not."""
    levels = values.counts.nonzero()[0]
    for bits in range(max(1, math.ceil(math.log2(len(levels)))), 8):
        if len(set((levels >> (8 - bits)).tolist())) == len(levels):
            return bits
    return 0
