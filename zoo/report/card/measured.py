"""What ``zoo evaluate`` measured, in a card: a table with protocols, and the Hub's model-index."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import ZooError
from zoo.evaluation.figures import (
    DISTANCES,
    NAMES,
    Figure,
    parse_evaluation,
    protocols,
    title_of,
)
from zoo.report.card import markdown
from zoo.runs.folder import EVALUATION, WEIGHTS, RunFolder

TASK = "unconditional-image-generation"
"""The Hub's name of what all models here do."""


@dataclass(frozen=True)
class Measured:
    """The figures of a run's weights; ``skipped`` gives for each that could not be counted the
    reason, ``odd`` are the names of those that are not finite."""

    figures: tuple[Figure, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    odd: tuple[str, ...] = ()


NOTHING = Measured()


def read_measured(folder: Path) -> Measured:
    """The finite figures of metrics.json. A file that is damaged, or of other weights than the run
    now has, has none: ``zoo evaluate`` says so and writes it anew."""
    try:
        values = json.loads((folder / EVALUATION).read_text("utf-8"))
        if not (folder / WEIGHTS).exists() or values["weights"] != RunFolder(folder).short_digest():
            return NOTHING
        finite = [one for one in values["figures"] if _finite(one)]
        odd = [str(one["name"]) for one in values["figures"] if not _finite(one)]
        found = parse_evaluation(values | {"figures": finite})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, ZooError):
        return NOTHING
    return Measured(found.figures, tuple(found.skipped.items()), tuple(odd))


def figures_part(measured: Measured) -> str:
    """A table of figures, their protocols below it; empty where nothing was measured."""
    said = []
    if measured.figures:
        known = protocols(measured.figures)
        rows = [
            (markdown.escaped(one.title), f"{one.number} [{known.index(one.protocol) + 1}]")
            for one in measured.figures
        ]
        said.append(markdown.table(("figure", "value [protocol]"), rows))
        notes = [f"- [{n}] {markdown.escaped(text)}" for n, text in enumerate(known, 1)]
        said.append("\n".join(notes))
    if measured.odd:
        names = ", ".join(markdown.escaped(title_of(name)) for name in measured.odd)
        said.append(f"Left out, for it is not finite: {names}.")
    for reason in dict.fromkeys(why for _, why in measured.skipped):
        names = ", ".join(title_of(name) for name, why in measured.skipped if why == reason)
        said.append(f"Not counted: {markdown.escaped(names)}, for {markdown.escaped(reason)}.")
    return "\n\n".join(["### Figures", *said]) if said else ""


def renewed_index(before: Any, model: str, measured: Measured, dataset: Mapping[str, str]) -> Any:
    """``before``, a card's model-index, with the figures of ``measured`` in the place of genzoo's
    own earlier ones; None where nothing is left. ``dataset`` gives the type, an id on the Hub where
    there is one, for the name of data.

    genzoo's are of this task and of a metric that ``zoo evaluate`` counts; results of others stay,
    and so does the model's name where one stands there.
    """
    entries = [dict(one) for one in _list(before) if isinstance(one, dict)]
    for entry in entries:
        entry["results"] = [one for one in _list(entry.get("results")) if not _own(one)]
    ours = [_result(one, dataset) for one in measured.figures]
    if ours:
        entries = entries or [{"name": model, "results": []}]
        entries[0]["results"] = [*entries[0]["results"], *ours]
    return [entry for entry in entries if entry["results"]] or None


def _finite(values: Mapping[str, Any]) -> bool:
    numbers = [values[key] for key in ("value", "standard_error", "deviation")]
    return all(math.isfinite(number) for number in numbers if number is not None)


def _result(figure: Figure, dataset: Mapping[str, str]) -> dict[str, Any]:
    data = markdown.plain(figure.facts.data)
    return {
        "task": {"type": TASK, "name": "Unconditional Image Generation"},
        "dataset": {
            "type": dataset.get(data, data),
            "name": data,
            "split": figure.facts.split,
        },
        "metrics": [{"type": figure.name, "name": figure.title, "value": figure.value}],
    }


def _own(result: Any) -> bool:
    try:
        types = [metric["type"] for metric in result["metrics"]]
        return result["task"]["type"] == TASK and bool(types) and all(map(_counted, types))
    except (KeyError, TypeError):
        return False


def _counted(metric: Any) -> bool:
    """Whether ``zoo evaluate`` has a figure of this name, with or without a suffix of features."""
    return isinstance(metric, str) and (
        metric in NAMES or any(metric.startswith(f"{name}_") for name in DISTANCES)
    )


def _list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else []
