"""Runs that differ in their seed alone, with the mean and the spread of their metrics."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from zoo.report.comparison import Entry, Row, is_comparable
from zoo.report.inventory import is_finished


@dataclass(frozen=True)
class Statistic:
    """The mean of ``n`` values and their sample standard deviation, None for a single one."""

    mean: float
    standard_deviation: float | None
    n: int

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Statistic | None:
        """Returns the statistic of the values that are not None; None without any."""
        numbers = [value for value in values if value is not None]
        if not numbers:
            return None
        spread = stdev(numbers) if len(numbers) > 1 else None
        return cls(fmean(numbers), spread, len(numbers))


@dataclass(frozen=True)
class Group:
    """Rows of runs of the same model, configuration, data and length, each of another seed."""

    rows: tuple[Row, ...]
    seeds: tuple[int | None, ...]

    @property
    def name(self) -> str:
        """``"lu-… (n = 3)"`` of lu-1, lu-2 and lu-3; the name of a single run."""
        names = [row.name for row in self.rows]
        if len(names) == 1:
            return names[0]
        start = names[0]
        while not all(name.startswith(start) for name in names):
            start = start[:-1]
        return f"{start or names[0]}… (n = {len(names)})"

    def logged(self, name: str) -> Statistic | None:
        """Returns the statistic of a metric of metrics.jsonl."""
        return Statistic.of(row.logged.get(name) for row in self.rows)

    def measured(self, name: str) -> Statistic | None:
        """Returns the statistic of a metric of ``zoo evaluate``; None if it was not measured, or
        under protocols that are not comparable."""
        metrics = [row.metrics[name] for row in self.rows if name in row.metrics]
        return Statistic.of(metric.value for metric in metrics) if is_comparable(metrics) else None

    def as_json(self) -> dict[str, Any]:
        """Returns the group as ``zoo compare --json`` prints it."""

        def described(statistic: Statistic | None) -> dict[str, Any] | None:
            return None if statistic is None else vars(statistic)

        logged = dict.fromkeys(name for row in self.rows for name in row.logged)
        metrics = dict.fromkeys(name for row in self.rows for name in row.metrics)
        return {
            "name": self.name,
            "runs": [row.path for row in self.rows],
            "seeds": [*self.seeds],
            "n": len(self.rows),
            "logged": {name: described(self.logged(name)) for name in logged},
            "metrics": {name: described(self.measured(name)) for name in metrics},
        }


def group(entries: Sequence[Entry], rows: Sequence[Row]) -> list[Group]:
    """Returns the groups of the runs, in the order of their first ones. Two runs of one seed are
    not in one group: they say nothing about others."""
    groups: list[tuple[str, Group]] = []
    for entry, row in zip(entries, rows, strict=True):
        key, seed = _all_but_seed(entry)
        for index, (other, found) in enumerate(groups):
            if other == key and seed not in found.seeds:
                groups[index] = (key, Group((*found.rows, row), (*found.seeds, seed)))
                break
        else:
            groups.append((key, Group((row,), (seed,))))
    return [found for _, found in groups]


def _all_but_seed(entry: Entry) -> tuple[str, int | None]:
    """Returns a text that is the same for runs that differ in seed alone, and the seed."""
    values = entry.folder.read_config()
    config = {name: dict(section) for name, section in values["config"].items()}
    seed = config.get("training", {}).pop("seed", None)
    source = entry.folder.read_data_record().get("source")
    lines = entry.folder.read_metrics()
    last = lines[-1] if lines else None
    finished = is_finished(entry.folder.path, values, last)
    length = "finished" if finished else last and last["step"]
    summary = values.get("summary")
    images = summary.get("images") if isinstance(summary, dict) else None
    parts = [values["model"], values["image"], config, source, images, length]
    return json.dumps([*parts, values.get("changes")], sort_keys=True), seed
