"""Runs side by side: a row of settings and metrics each, and whether the metrics compare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from zoo.errors import UsageError
from zoo.evaluation.metrics import Metric, read_evaluation, title_of
from zoo.evaluation.metrics import protocols as protocols_of
from zoo.runs import folder as files

if TYPE_CHECKING:
    from zoo.model import Model
    from zoo.runs.folder import RunFolder
    from zoo.specs import ImageSpec

_NOT_COMPARED = ("seed", "method", "accuracy", "feature_dimensions")
"""Fields of a protocol that may differ, or that another field implies."""


@dataclass(frozen=True)
class Entry:
    """A run to compare: its model and folder, and the ``source`` that it was loaded from."""

    source: str
    model: Model
    folder: RunFolder


@dataclass(frozen=True)
class Row:
    """What is known of a run; None, or nothing, where it was not logged or measured.

    ``images_per_second`` is the median of what was logged. ``logged`` are the last values of
    metrics.jsonl by name, ``metrics`` what ``zoo evaluate`` measured of the run's weights, by name;
    ``stale`` is true where it measured other weights, of before the run went on.
    """

    name: str
    path: str
    model: str
    data: str
    image: ImageSpec
    parameters: int
    steps: int | None
    epochs: float | None
    minutes: float | None
    images_per_second: float | None
    logged: Mapping[str, float]
    metrics: Mapping[str, Metric]
    stale: bool

    @property
    def picture(self) -> str:
        return f"{self.image.channels}x{self.image.size}x{self.image.size}"


def compare(entries: Sequence[Entry]) -> list[Row]:
    """A row for each run, in their order.

    Raises UsageError for fewer than two runs and for one that is there twice, ZooError for a
    metrics.json that cannot be read.
    """
    names = names_of([Path(entry.source) for entry in entries])
    return [_row(entry, name) for entry, name in zip(entries, names, strict=True)]


def names_of(paths: Sequence[Path]) -> list[str]:
    """The last components of each path, as few as tell them all apart; raises as
    :func:`compare`."""
    if len(paths) < 2:
        raise UsageError(f"a comparison needs two runs at least, got {len(paths)}")
    places = [path.resolve() for path in paths]
    for index, place in enumerate(places):
        if place in places[:index]:
            raise UsageError(f"{paths[index]} is named twice: name each run once")
    for length in range(1, max(len(place.parts) for place in places)):
        names = ["/".join(place.parts[-length:]) for place in places]
        if len({*names}) == len(names):
            return names
    return [str(place) for place in places]


def shared_metrics(rows: Sequence[Row]) -> list[str]:
    """The logged that two runs or more have logged, without those of validation."""
    known = list(dict.fromkeys(name for row in rows for name in row.logged))
    return [
        name
        for name in known
        if not name.startswith(files.VALIDATION) and sum(name in row.logged for row in rows) > 1
    ]


def remarks(rows: Sequence[Row]) -> list[str]:
    """Sentences to read a table of the rows by: what does not compare, and how it was counted."""
    found = differences(rows)
    if any(row.logged for row in rows):
        found.append(
            "Metrics are the last that were logged, those of validation at the last checkpoint; "
            "what zoo evaluate measured bears the number of its protocol."
        )
    return [*found, *footnotes(rows)]


def differences(rows: Sequence[Row]) -> list[str]:
    """A sentence where the runs were trained on different things, and one where their metrics were
    measured by different protocols; none where all compares."""
    trained = _differing(
        {"data": row.data, "picture": row.picture, "bits of a value": row.image.bits}
        for row in rows
    )
    found = []
    if trained:
        found.append(
            f"The runs differ in {_listed(trained)}: losses and bits per dim do not compare "
            "across these."
        )
    found += _differing_metrics(rows)
    if stale := [row.name for row in rows if row.stale]:
        found.append(
            f"What was measured of {' and '.join(stale)} was measured of earlier weights and is "
            "left out: measure again with zoo evaluate."
        )
    return found


def _differing_metrics(rows: Sequence[Row]) -> list[str]:
    """A sentence for the metrics that differ in the same fields of their protocols."""
    known = protocols(rows)
    sentences: dict[str, list[str]] = {}
    for name in metric_names(rows):
        metrics = [row.metrics[name] for row in rows if name in row.metrics]
        differing = _differing(
            {fact.replace("_", " "): value for fact, value in asdict(one.protocol).items()
             if fact not in _NOT_COMPARED}
            for one in metrics
        )  # fmt: skip
        if differing:
            text = f"in {_listed(differing)}: they do not compare across these."
        elif len(methods := {one.protocol.method: str(one.protocol) for one in metrics}) > 1:
            numbers = [f"[{known.index(protocol) + 1}]" for protocol in methods.values()]
            text = f"in how they were counted: {' and '.join(numbers)} say how."
        else:
            continue
        sentences.setdefault(text, []).append(title_of(name))
    return [f"The measured {_and(titles)} differ {text}" for text, titles in sentences.items()]


def footnotes(rows: Sequence[Row]) -> list[str]:
    """``"[1] "`` and how it was counted, for each protocol of the measured metrics."""
    return [f"[{number}] {text}." for number, text in enumerate(protocols(rows), 1)]


def measured(row: Row, name: str, known: Sequence[str]) -> str:
    """A metric of a row with its error and the number of its protocol among those ``known``, or
    ``"-"``."""
    if name not in row.metrics:
        return "-"
    metric = row.metrics[name]
    return f"{metric.number} [{known.index(str(metric.protocol)) + 1}]"


def metric_names(rows: Sequence[Row]) -> list[str]:
    """The names of the measured metrics of all rows, each once."""
    return list(dict.fromkeys(name for row in rows for name in row.metrics))


def protocols(rows: Sequence[Row]) -> list[str]:
    """The protocols of all measured metrics, each once."""
    return protocols_of(
        row.metrics[name] for name in metric_names(rows) for row in rows if name in row.metrics
    )


def _differing(records: Iterable[Mapping[str, object]]) -> dict[str, list[str]]:
    """The values of each fact that is not everywhere the same."""
    values: dict[str, dict[str, None]] = {}
    for one in records:
        for name, value in one.items():
            values.setdefault(name, {})["none" if value is None else str(value)] = None
    return {name: list(found) for name, found in values.items() if len(found) > 1}


def _listed(differing: Mapping[str, Sequence[str]]) -> str:
    return _and([f"{name} ({', '.join(found)})" for name, found in differing.items()])


def _and(parts: Sequence[str]) -> str:
    *others, last = parts
    return f"{', '.join(others)} and {last}" if others else last


def _row(entry: Entry, name: str) -> Row:
    lines = entry.folder.read_metrics()
    last: dict[str, float] = {}
    for line in lines:
        last |= files.numbers(line)
    found = read_evaluation(entry.folder.path)
    stale = found is not None and found.weights != entry.folder.short_digest()
    speeds = [speed for line in lines if (speed := files.numbers(line).get("images_per_second"))]
    return Row(
        name=name,
        path=entry.source,
        model=entry.model.name,
        data=entry.folder.read_config()["config"]["data"]["source"],
        image=entry.model.image_spec,
        parameters=sum(parameter.numel() for parameter in entry.model.network.parameters()),
        steps=lines[-1]["step"] if lines else None,
        epochs=last.get("epoch"),
        minutes=last["seconds"] / 60 if "seconds" in last else None,
        images_per_second=median(speeds) if speeds else None,
        logged={name: value for name, value in last.items() if name not in files.BOOKKEEPING},
        metrics={} if found is None or stale else {one.name: one for one in found},
        stale=stale,
    )
