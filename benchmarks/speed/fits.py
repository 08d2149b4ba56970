"""Power laws fitted to costs: the exponent of the time over a size."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class PowerLaw:
    """``cost = factor * size ** exponent``; ``r2`` is the coefficient of determination of the
    logarithms, 1 for equal costs."""

    exponent: float
    factor: float
    r2: float


def fit(sizes: Sequence[float], costs: Sequence[float]) -> PowerLaw:
    """Fits a power law by least squares of the logarithms.

    Raises ValueError for fewer than two sizes, equal ones, and values that are not positive.
    """
    if len({*sizes}) < 2:
        raise ValueError(f"a power law needs two sizes; got {[*sizes]}")
    if min(*sizes, *costs) <= 0:
        raise ValueError(f"sizes and costs must be positive; got {[*sizes]} and {[*costs]}")
    x, y = [math.log(size) for size in sizes], [math.log(cost) for cost in costs]
    slope, intercept = statistics.linear_regression(x, y)
    mean = statistics.fmean(y)
    total = sum((value - mean) ** 2 for value in y)
    rest = sum((value - intercept - slope * at) ** 2 for at, value in zip(x, y, strict=True))
    return PowerLaw(slope, math.exp(intercept), 1 - rest / total if total else 1.0)


def exponents(rounds: Mapping[float, Sequence[float]]) -> list[float]:
    """The exponent of each round, from the costs of each size in all rounds."""
    sizes = list(rounds)
    return [fit(sizes, costs).exponent for costs in zip(*rounds.values(), strict=True)]
