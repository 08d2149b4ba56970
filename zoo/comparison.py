"""Runs side by side: a row of facts and figures each, and whether the figures compare at all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from zoo import folder as files
from zoo.errors import UsageError, ZooError

if TYPE_CHECKING:
    from zoo.run import Run
    from zoo.specs import ImageSpec

_COMPARED = ("data", "split", "pictures", "dimensions", "bits")
_FACTS = (*_COMPARED, "seed", "protocol")
"""What metrics.json says of how it was counted; other numbers in it are figures."""

_ERROR = "standard_error"


@dataclass(frozen=True)
class Row:
    """What is known of a run; None, or nothing, where it was not logged or measured.

    ``images_per_second`` is the median of what was logged. ``metrics`` are the last values of
    metrics.jsonl by name, ``evaluation`` is what ``zoo evaluate`` kept.
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
    metrics: Mapping[str, float]
    evaluation: Mapping[str, Any]

    @property
    def figures(self) -> dict[str, float]:
        """The measured figures, without their errors and protocol."""
        found = files.numbers(self.evaluation)
        return {name: value for name, value in found.items() if name not in (*_FACTS, _ERROR)}

    @property
    def standard_error(self) -> float | None:
        return files.numbers(self.evaluation).get(_ERROR)

    @property
    def protocol(self) -> str | None:
        """How the figures were counted, in words; None where there is no figure."""
        return (
            str(self.evaluation.get("protocol", "no protocol was kept")) if self.figures else None
        )

    @property
    def picture(self) -> str:
        return f"{self.image.channels}x{self.image.size}x{self.image.size}"


def compare(runs: Sequence[Run]) -> list[Row]:
    """A row for each run, in their order.

    Raises UsageError for fewer than two runs and for one that is there twice, ZooError for a
    metrics.json that cannot be read.
    """
    names = names_of([run.path for run in runs])
    return [_row(run, name) for run, name in zip(runs, names, strict=True)]


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
    """The metrics that two runs or more have logged, without those of validation."""
    known = list(dict.fromkeys(name for row in rows for name in row.metrics))
    return [
        name
        for name in known
        if not name.startswith(files.VALIDATION) and sum(name in row.metrics for row in rows) > 1
    ]


def remarks(rows: Sequence[Row]) -> list[str]:
    """Sentences to read a table of the rows by: what does not compare, and how it was counted."""
    found = differences(rows)
    if any(row.metrics for row in rows):
        found.append(
            "Metrics are the last that were logged, those of validation at the last checkpoint; "
            "what zoo evaluate measured bears the number of its protocol."
        )
    return [*found, *footnotes(rows)]


def differences(rows: Sequence[Row]) -> list[str]:
    """A sentence where the runs were trained on different things, and one where their figures were
    measured by different protocols; none where all compares."""
    trained = _differing(
        {"data": row.data, "picture": row.picture, "bits of a value": row.image.bits}
        for row in rows
    )
    measured = _differing(
        {name: row.evaluation.get(name) for name in _COMPARED} for row in rows if row.protocol
    )
    found = []
    if trained:
        found.append(
            f"The runs differ in {_listed(trained)}: losses and bits per dim do not compare "
            "across these."
        )
    if measured:
        found.append(
            f"The measured figures differ in {_listed(measured)}: they do not compare across these."
        )
    return found


def footnotes(rows: Sequence[Row]) -> list[str]:
    """``"[1] "`` and how it was counted, for each protocol of the measured figures."""
    return [f"[{number}] {text}." for number, text in enumerate(protocols(rows), 1)]


def measured(row: Row, name: str, known: Sequence[str]) -> str:
    """A figure of a row with its error and the number of its protocol among those ``known``, or
    ``"-"``."""
    if name not in row.figures or row.protocol is None:
        return "-"
    error = "" if row.standard_error is None else f" ± {row.standard_error:.4f}"
    return f"{row.figures[name]:.4f}{error} [{known.index(row.protocol) + 1}]"


def protocols(rows: Sequence[Row]) -> list[str]:
    """The protocols of all measured figures, each once."""
    return list(dict.fromkeys(row.protocol for row in rows if row.protocol))


def _differing(facts: Iterable[Mapping[str, object]]) -> dict[str, list[str]]:
    """The values of each fact that is not everywhere the same."""
    values: dict[str, dict[str, None]] = {}
    for one in facts:
        for name, value in one.items():
            values.setdefault(name, {})[str(value)] = None
    return {name: list(found) for name, found in values.items() if len(found) > 1}


def _listed(differing: Mapping[str, Sequence[str]]) -> str:
    *others, last = (f"{name} ({', '.join(found)})" for name, found in differing.items())
    return f"{', '.join(others)} and {last}" if others else last


def _row(run: Run, name: str) -> Row:
    lines = files.read_metrics(run.path)
    last: dict[str, float] = {}
    for line in lines:
        last |= files.numbers(line)
    speeds = [speed for line in lines if (speed := files.numbers(line).get("images_per_second"))]
    return Row(
        name=name,
        path=str(run.path),
        model=run.model,
        data=files.read_config(run.path)["config"]["data"]["source"],
        image=run.image,
        parameters=sum(parameter.numel() for parameter in run.network.parameters()),
        steps=lines[-1]["step"] if lines else None,
        epochs=last.get("epoch"),
        minutes=last["seconds"] / 60 if "seconds" in last else None,
        images_per_second=median(speeds) if speeds else None,
        metrics={name: value for name, value in last.items() if name not in files.BOOKKEEPING},
        evaluation=_evaluation(run.path),
    )


def _evaluation(folder: Path) -> dict[str, Any]:
    path = folder / files.EVALUATION
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ZooError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise ZooError(f"{path} is damaged: measure again with zoo evaluate {folder}")
    return values
