"""Checks of the numbers and arrays that callers hand to a sampler, in numpy."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from zoo.errors import UsageError

TOLERANCE = 1e-3
"""The distance from [0, 1] that is taken for a rounding error of an image: half of what separates a
value from another of its 256 levels."""

MAX_SEED = 2**64 - 1


def check_integer(value: Any, name: str, minimum: int) -> int:
    """Returns an integer of any library as an int; raises UsageError below ``minimum``."""
    integer = _as_integer(value)
    if integer is None or integer < minimum:
        kind = "an integer of " if integer is None else ""
        raise UsageError(f"{name} must be {kind}at least {minimum}, got {_short(value)}")
    return integer


def check_seed(value: Any) -> int:
    """Returns a seed as an int; raises UsageError outside 0 ... 2^64 - 1."""
    seed = _as_integer(value)
    if seed is None or not 0 <= seed <= MAX_SEED:
        kind = "an integer " if seed is None else ""
        raise UsageError(f"the seed must be {kind}from 0 to 2^64 - 1, got {_short(value)}")
    return seed


def check_temperature(value: Any) -> float:
    """Returns a temperature as a float; raises UsageError if it is negative or not finite in
    float32."""
    try:
        number = math.nan if isinstance(value, (str, bytes, bool)) else float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        number = math.nan
    if not 0 <= number <= float(np.finfo(np.float32).max):
        raise UsageError(f"temperature must be a finite number, at least 0; got {_short(value)}")
    return number


def check_floats(values: Any, shape: tuple[int, ...], name: str, suffix: str = "") -> None:
    """Raises UsageError for anything but an array of floating-point numbers ``[N, *shape]``, of any
    library."""
    expected = f"float [N, {', '.join(map(str, shape))}]{suffix}"
    dtype = getattr(values, "dtype", None)
    if dtype is None or not hasattr(values, "shape"):
        raise UsageError(f"{name} are {expected}, got {type(values).__name__}: pass an array")
    if len(values.shape) != 1 + len(shape) or tuple(values.shape[1:]) != shape:
        raise UsageError(f"{name} are {expected}, got {list(values.shape)}")
    kind = getattr(dtype, "name", str(dtype))
    if "float" not in kind:
        advice = ": divide by 255.0" if "int" in kind and suffix else ": convert to float32"
        raise UsageError(f"{name} are {expected}, got {dtype} {list(values.shape)}{advice}")


def check_range(images: Any) -> None:
    """Raises UsageError for images with values outside [0, 1] or not finite."""
    if 0 in images.shape:
        return
    low, high = float(images.min()), float(images.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise UsageError("images must be in [0, 1], got values that are not finite")
    if low >= -TOLERANCE and high <= 1 + TOLERANCE:
        return
    advice = ""
    if low >= -1 - TOLERANCE and high <= 1 + TOLERANCE:
        advice = ": pass (images + 1) / 2 if -1 is black"
    elif low >= 0 and high <= 255 + TOLERANCE:
        advice = ": pass images / 255 if 255 is white"
    raise UsageError(f"images must be in [0, 1], got values from {low:g} to {high:g}{advice}")


def check_finite(values: Any, name: str) -> None:
    """Raises UsageError for values that are not finite."""
    if 0 not in values.shape and not (
        math.isfinite(float(values.min())) and math.isfinite(float(values.max()))
    ):
        raise UsageError(f"{name} must be finite, got NaN or infinite values")


def _as_integer(value: Any) -> int | None:
    if isinstance(value, (bool, np.bool_)) or "bool" in str(getattr(value, "dtype", "")):
        return None
    try:
        return operator.index(value)
    except (TypeError, ValueError, RuntimeError):
        return None


def _short(value: Any) -> str:
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # an integer of too many digits
        text = f"a {type(value).__name__}"
    return text if len(text) <= 40 else f"{text[:37]}..."
