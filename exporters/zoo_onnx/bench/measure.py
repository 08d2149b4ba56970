"""Timing of calls in alternation, so that noise of the machine affects all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median, quantiles

MIN_ROUNDS = 3
"""Minimum number of rounds, even if one call is slow."""

TURNS = 10
"""Turns that the time is divided into if calls are fast."""


@dataclass(frozen=True)
class Timing:
    """Seconds of each call, grouped by round."""

    rounds: tuple[tuple[float, ...], ...]

    @property
    def calls(self) -> list[float]:
        return [seconds for calls in self.rounds for seconds in calls]

    @property
    def median(self) -> float:
        return median(self.calls)

    def quartiles(self) -> tuple[float, float]:
        """The lower and the upper quartile."""
        lower, _, upper = quantiles(self.calls, n=4, method="inclusive")
        return lower, upper

    def times_as_fast_as(self, other: Timing) -> float:
        """The median over rounds of the ratio of the medians."""
        pairs = zip(self.rounds, other.rounds, strict=True)
        return median(median(theirs) / median(ours) for ours, theirs in pairs)

    def fraction_of(self, unit: Timing, count: float) -> float:
        """The fraction of the time here that ``count`` calls of ``unit`` would take.

        The median over rounds of the ratio of the unit's fastest call to the median here.
        """
        pairs = zip(unit.rounds, self.rounds, strict=True)
        return median(count * min(units) / median(ours) for units, ours in pairs)


def alternate(calls: Mapping[str, Callable[[], object]], seconds: float) -> dict[str, Timing]:
    """Times ``calls`` in rounds in which each has a turn.

    At least three rounds, until they took ``seconds`` per call; one untimed call of each comes
    first.
    """
    rounds: dict[str, list[tuple[float, ...]]] = {name: [] for name in calls}
    elapsed, count = 0.0, 0
    for call in calls.values():
        call()
    while count < MIN_ROUNDS or elapsed < seconds * len(calls):
        for name, call in calls.items():
            turn = _turn(call, seconds / TURNS)
            rounds[name].append(turn)
            elapsed += sum(turn)
        count += 1
    return {name: Timing(tuple(turns)) for name, turns in rounds.items()}


def _turn(call: Callable[[], object], seconds: float) -> tuple[float, ...]:
    times: list[float] = []
    end = time.perf_counter() + seconds
    while True:
        start = time.perf_counter()
        call()
        now = time.perf_counter()
        times.append(now - start)
        if now >= end:
            return tuple(times)
