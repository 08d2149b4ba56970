"""Timing calls that take turns, so that a noisy machine is noisy for all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median, quantiles

ROUNDS = 3
"""Rounds that there are at least, and at most where one call is slow."""

TURNS = 10
"""Turns into which the time is divided where calls are fast."""


@dataclass(frozen=True)
class Timing:
    """Seconds of each call, by the rounds in which they were made."""

    rounds: tuple[tuple[float, ...], ...]

    @property
    def calls(self) -> list[float]:
        return [seconds for one in self.rounds for seconds in one]

    @property
    def median(self) -> float:
        return median(self.calls)

    def quartiles(self) -> tuple[float, float]:
        """The lower and the upper one."""
        lower, _, upper = quantiles(self.calls, n=4, method="inclusive")
        return lower, upper

    def times_as_fast_as(self, other: Timing) -> float:
        """The ratio of the medians of each round, and of those the median."""
        pairs = zip(self.rounds, other.rounds, strict=True)
        return median(median(theirs) / median(ours) for ours, theirs in pairs)

    def part_of(self, unit: Timing, count: float) -> float:
        """How much of the time here ``count`` calls of ``unit`` would take: of each round the ratio
        to the median here, at the fastest of the unit's calls there, and of those the median."""
        pairs = zip(unit.rounds, self.rounds, strict=True)
        return median(count * min(units) / median(ours) for units, ours in pairs)


def alternate(calls: Mapping[str, Callable[[], object]], seconds: float) -> dict[str, Timing]:
    """Time ``calls`` in rounds in which each has its turn: until ``seconds`` for each of them are
    over in all, and three rounds at least, after a call of each that is not timed."""
    rounds: dict[str, list[tuple[float, ...]]] = {name: [] for name in calls}
    spent, count = 0.0, 0
    for call in calls.values():
        call()
    while count < ROUNDS or spent < seconds * len(calls):
        for name, call in calls.items():
            turn = _turn(call, seconds / TURNS)
            rounds[name].append(turn)
            spent += sum(turn)
        count += 1
    return {name: Timing(tuple(turns)) for name, turns in rounds.items()}


def _turn(call: Callable[[], object], seconds: float) -> tuple[float, ...]:
    found: list[float] = []
    end = time.perf_counter() + seconds
    while True:
        start = time.perf_counter()
        call()
        now = time.perf_counter()
        found.append(now - start)
        if now >= end:
            return tuple(found)
