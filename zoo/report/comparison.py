"""Comparison of runs: a row of settings and metrics per run, and notes on comparability."""

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

_NOT_COMPARED = ("seed", "method", "accuracy", "feature_dimensions", "backend")
"""Protocol fields that may differ, or that another field implies."""


@dataclass(frozen=True)
class Entry:
    """A run to compare: its model and folder, and the ``source`` that it was loaded from."""

    source: str
    model: Model
    folder: RunFolder


@dataclass(frozen=True)
class Row:
    """Settings and metrics of a run; None or empty if they were not logged or measured.

    ``images_per_second`` is the median of the log. ``logged`` has the last values of metrics.jsonl
    by name, ``metrics`` those of ``zoo evaluate`` for the run's weights; ``stale`` is true if they
    were measured for earlier weights.
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
    def shape(self) -> str:
        """Channels, height and width: ``"3x32x32"``."""
        return f"{self.image.channels}x{self.image.size}x{self.image.size}"


def compare(entries: Sequence[Entry]) -> list[Row]:
    """Returns a row for each run, in order.

    Raises UsageError for fewer than two runs and for duplicates, ZooError for a metrics.json that
    cannot be read.
    """
    names = names_of([Path(entry.source) for entry in entries])
    return [_row(entry, name) for entry, name in zip(entries, names, strict=True)]


def names_of(paths: Sequence[Path]) -> list[str]:
    """Returns the shortest distinct suffixes of the paths; raises as :func:`compare`."""
    if len(paths) < 2:
        raise UsageError(f"a comparison needs at least two runs, got {len(paths)}")
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
    """Returns the metrics that at least two runs logged, without those of validation."""
    names = list(dict.fromkeys(name for row in rows for name in row.logged))
    return [
        name
        for name in names
        if not name.startswith(files.VALIDATION) and sum(name in row.logged for row in rows) > 1
    ]


def remarks(rows: Sequence[Row]) -> list[str]:
    """Returns notes on a table of the rows: differences, and the protocols of metrics."""
    notes = differences(rows)
    if any(row.logged for row in rows):
        notes.append(
            "Metrics are the last logged values, validation metrics those of the last checkpoint; "
            "metrics of zoo evaluate have the number of their protocol."
        )
    return [*notes, *footnotes(rows)]


def differences(rows: Sequence[Row]) -> list[str]:
    """Returns sentences about differences in the data and in the protocols of the metrics; empty if
    everything is comparable."""
    data = _differing(
        {"data": row.data, "image": row.shape, "bits per value": row.image.bits} for row in rows
    )
    notes = []
    if data:
        notes.append(
            f"The runs differ in {_listed(data)}: losses and bits per dim are not comparable."
        )
    notes += _differing_metrics(rows)
    if stale := [row.name for row in rows if row.stale]:
        notes.append(
            f"The metrics of {' and '.join(stale)} are of earlier weights and are left out: "
            "measure again with zoo evaluate."
        )
    return notes


def _differing_metrics(rows: Sequence[Row]) -> list[str]:
    """Returns a sentence for each group of metrics whose protocols differ in the same fields."""
    texts = protocols(rows)
    sentences: dict[str, list[str]] = {}
    for name in metric_names(rows):
        metrics = [row.metrics[name] for row in rows if name in row.metrics]
        differing = _differing_fields(metrics)
        methods = {metric.protocol.method: str(metric.protocol) for metric in metrics}
        if differing:
            text = f"in {_listed(differing)}: they are not comparable."
        elif len(methods) > 1:
            numbers = [f"[{texts.index(protocol) + 1}]" for protocol in methods.values()]
            text = f"in their method: see {' and '.join(numbers)}."
        else:
            continue
        sentences.setdefault(text, []).append(title_of(name))
    return [f"The measured {_and(titles)} differ {text}" for text, titles in sentences.items()]


def is_comparable(metrics: Iterable[Metric]) -> bool:
    """Whether the protocols of a metric's values differ in nothing but what may differ."""
    return not _differing_fields(metrics)


def _differing_fields(metrics: Iterable[Metric]) -> dict[str, list[str]]:
    """Returns the fields in which the protocols of a metric differ, with their values."""
    return _differing(
        {field.replace("_", " "): value for field, value in asdict(metric.protocol).items()
         if field not in _NOT_COMPARED}
        for metric in metrics
    )  # fmt: skip


def footnotes(rows: Sequence[Row]) -> list[str]:
    """Returns ``"[1] "`` and the text of each protocol of the measured metrics."""
    return [f"[{number}] {text}." for number, text in enumerate(protocols(rows), 1)]


def measured(row: Row, name: str, texts: Sequence[str]) -> str:
    """Returns a metric of a row with its error and the number of its protocol in ``texts``, or
    ``"-"``."""
    if name not in row.metrics:
        return "-"
    metric = row.metrics[name]
    return f"{metric.number} [{texts.index(str(metric.protocol)) + 1}]"


def metric_names(rows: Sequence[Row]) -> list[str]:
    """Returns the distinct names of the measured metrics of all rows."""
    return list(dict.fromkeys(name for row in rows for name in row.metrics))


def protocols(rows: Sequence[Row]) -> list[str]:
    """Returns the distinct protocols of all measured metrics."""
    return protocols_of(
        row.metrics[name] for name in metric_names(rows) for row in rows if name in row.metrics
    )


def _differing(records: Iterable[Mapping[str, object]]) -> dict[str, list[str]]:
    """Returns the distinct values of each field that is not the same in all records."""
    values: dict[str, dict[str, None]] = {}
    for record in records:
        for name, value in record.items():
            values.setdefault(name, {})["none" if value is None else str(value)] = None
    return {name: list(distinct) for name, distinct in values.items() if len(distinct) > 1}


def _listed(differing: Mapping[str, Sequence[str]]) -> str:
    return _and([f"{name} ({', '.join(values)})" for name, values in differing.items()])


def _and(parts: Sequence[str]) -> str:
    *others, last = parts
    return f"{', '.join(others)} and {last}" if others else last


def _row(entry: Entry, name: str) -> Row:
    lines = entry.folder.read_metrics()
    last: dict[str, float] = {}
    for line in lines:
        last |= files.numbers(line)
    evaluation = read_evaluation(entry.folder.path)
    stale = evaluation is not None and evaluation.weights != entry.folder.short_digest()
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
        metrics={metric.name: metric for metric in evaluation} if evaluation and not stale else {},
        stale=stale,
    )
