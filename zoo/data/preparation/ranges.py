"""Stored values of black and white: those of the format, found from the images, or stated.

Images of 8 bits go from 0 to 255, others of integers from 0 to 65535, floating-point ones from 0 to
1. Arrays of wider types often hold something else; a guess that the values contradict is an error.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from zoo.errors import UsageError, ZooError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from zoo.data.source import StoredImage

Range: TypeAlias = tuple[float, float]
"""The stored values of black and white."""

BYTES: Range = (0, 255)
WORDS: Range = (0, 65535)
UNIT: Range = (0, 1)

TOLERANCE = 1e-3
"""The part of a range by which floating-point values may lie outside."""

NARROW = 17
"""Values that span so few of 256 levels, a sixteenth, are evidence of another range: 12 bits in 16,
or the 17 levels of digits."""


class Kind(enum.Enum):
    """The values of an image: bits, bytes, wider integers or floating-point numbers."""

    BITS = enum.auto()
    BYTES = enum.auto()
    INTEGERS = enum.auto()
    FLOATS = enum.auto()


@dataclass(frozen=True)
class Ranges:
    """The range of each kind of image. With ``clip``, values outside are clipped, else an error."""

    bytes: Range = BYTES
    integers: Range = WORDS
    floats: Range | None = None
    clip: bool = False

    def of(self, kind: Kind) -> Range | None:
        """Returns the range of a kind, None if it is unknown."""
        ranges = {Kind.BYTES: self.bytes, Kind.INTEGERS: self.integers, Kind.FLOATS: self.floats}
        return ranges.get(kind, UNIT)

    def scale(self, values: NDArray[Any], location: str) -> tuple[NDArray[np.uint8], bool]:
        """Returns values as uint8, black as 0 and white as 255, and whether any was clipped.

        Raises ZooError, naming ``location``, for values that are not finite, and for values outside
        the range unless they are to be clipped.
        """
        import numpy as np

        kind = kind_of(values)
        if kind is Kind.BITS:
            return values.astype(np.uint8) * np.uint8(255), False
        if (limits := self.of(kind)) is None:
            raise ZooError(
                f"{location} has floating-point values of an unknown range: use "
                f"{setting(*UNIT)}, or the values that are black and white"
            )
        low, high = extent(values, location)
        black, white = limits
        margin = TOLERANCE * abs(white - black)
        clipped = low < min(limits) - margin or high > max(limits) + margin
        if clipped and not self.clip:
            raise ZooError(
                f"{location} has values from {low:g} to {high:g}, outside {black:g} to {white:g} "
                f"of the other images: {setting(*limits)} clips them"
            )
        scaled = (values.astype(np.float64) - black) * (255 / (white - black))
        return np.rint(scaled).clip(0, 255).astype(np.uint8), clipped


def setting(black: float, white: float) -> str:
    """Returns the option that sets a range, for messages."""
    return f"--set 'data.value_range=[{black:.6g}, {white:.6g}]'"


def kind_of(stored: StoredImage) -> Kind:
    """Returns the kind of an image or array; raises UsageError for arrays of other types."""
    from PIL import Image

    if isinstance(stored, Image.Image):
        kinds = {"1": Kind.BITS, "F": Kind.FLOATS, "I": Kind.INTEGERS}
        return kinds.get(stored.mode.split(";")[0], Kind.BYTES)
    if stored.dtype.name == "uint8":
        return Kind.BYTES
    kinds = {"b": Kind.BITS, "i": Kind.INTEGERS, "u": Kind.INTEGERS, "f": Kind.FLOATS}
    if stored.dtype.kind not in kinds:
        raise UsageError(f"arrays of {stored.dtype} are not images: save integers or floats")
    return kinds[stored.dtype.kind]


def stated_range(value_range: Sequence[float] | None) -> Range | None:
    """Returns data.value_range; raises UsageError for an empty one."""
    if value_range is None:
        return None
    black, white = value_range
    if black == white:
        raise UsageError(
            f"data.value_range must be two numbers that differ, got [{black:g}, {white:g}]"
        )
    return black, white


def extent(values: NDArray[Any], location: str) -> Range:
    """Returns minimum and maximum; raises ZooError for values that are not finite, and for none."""
    if not values.size:
        raise ZooError(f"{location} is {list(values.shape)}, without a pixel: remove it")
    low, high = float(values.min()), float(values.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ZooError(f"{location} has values that are not finite: repair or remove it")
    return low, high
