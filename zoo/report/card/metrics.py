"""Metrics of ``zoo evaluate`` in a card: a table with protocols, and the Hub's model-index."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError
from zoo.evaluation.metrics import (
    DISTANCES,
    NAMES,
    Metric,
    parse_evaluation,
    protocols,
    title_of,
    upgraded_evaluation,
)
from zoo.report.card import markdown
from zoo.runs.folder import EVALUATION, WEIGHTS, RunFolder
from zoo.system.files import read_bounded

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

TASK = "unconditional-image-generation"
"""The Hub's name for the task of all models."""


@dataclass(frozen=True)
class CardMetrics:
    """Finite metrics of a run's weights, the reason for each that was skipped, and the names of
    those that are not finite."""

    metrics: tuple[Metric, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    not_finite: tuple[str, ...] = ()


NO_METRICS = CardMetrics()


def read_card_metrics(folder: Path) -> CardMetrics:
    """Reads metrics.json; empty for a file that is missing, damaged or of other weights, which
    ``zoo evaluate`` reports and replaces."""
    try:
        values = upgraded_evaluation(json.loads(read_bounded(folder / EVALUATION)))
        if not (folder / WEIGHTS).exists() or values["weights"] != RunFolder(folder).short_digest():
            return NO_METRICS
        finite = [metric for metric in values["metrics"] if _finite(metric)]
        not_finite = [str(metric["name"]) for metric in values["metrics"] if not _finite(metric)]
        evaluation = parse_evaluation({**values, "metrics": finite})
    except (
        *(OSError, ValueError, KeyError, TypeError, AttributeError),
        *(OverflowError, RecursionError, ZooError),
    ):
        return NO_METRICS
    return CardMetrics(evaluation.metrics, tuple(evaluation.skipped.items()), tuple(not_finite))


def metrics_part(measured: CardMetrics) -> str:
    """Table of metrics with their protocols below; empty if there are none."""
    paragraphs = []
    if measured.metrics:
        known = protocols(measured.metrics)
        rows = [
            (
                markdown.escaped(metric.title),
                f"{metric.number} [{known.index(str(metric.protocol)) + 1}]",
            )
            for metric in measured.metrics
        ]
        paragraphs.append(markdown.table(("metric", "value [protocol]"), rows))
        notes = [f"- [{n}] {markdown.escaped(text)}" for n, text in enumerate(known, 1)]
        paragraphs.append("\n".join(notes))
    if measured.not_finite:
        names = ", ".join(markdown.escaped(title_of(name)) for name in measured.not_finite)
        paragraphs.append(f"Omitted, as the value is not finite: {names}.")
    for reason in dict.fromkeys(reason for _, reason in measured.skipped):
        names = ", ".join(title_of(name) for name, other in measured.skipped if other == reason)
        names, reason = markdown.escaped(names), markdown.escaped(reason)
        paragraphs.append(f"Not measured: {names} ({reason}).")
    return "\n\n".join(["### Metrics", *paragraphs]) if paragraphs else ""


def updated_index(
    index: Any, model: str, measured: CardMetrics, datasets: Mapping[str, str]
) -> list[dict[str, Any]] | None:
    """``index``, a card's model-index, with genzoo's results replaced by ``measured``; None if no
    result is left. ``datasets`` maps names of data to repositories on the Hub.

    genzoo's results are of its task and of metrics that ``zoo evaluate`` measures; others stay, and
    so does the name of the model.
    """
    from huggingface_hub.repocard_data import eval_results_to_model_index

    entries = [dict(entry) for entry in _list(index) if isinstance(entry, dict)]
    for entry in entries:
        entry["results"] = [result for result in _list(entry.get("results")) if not _own(result)]
    if measured.metrics:
        results = [_result(metric, datasets) for metric in measured.metrics]
        (own,) = eval_results_to_model_index(model, results)
        entries = entries or [{"name": model, "results": []}]
        entries[0]["results"] = entries[0]["results"] + own["results"]
    return [entry for entry in entries if entry["results"]] or None


def _finite(values: Mapping[str, Any]) -> bool:
    numbers = [values[key] for key in ("value", "standard_error", "deviation")]
    return all(math.isfinite(number) for number in numbers if number is not None)


def _result(metric: Metric, datasets: Mapping[str, str]) -> EvalResult:
    from huggingface_hub import EvalResult

    data = markdown.plain(metric.protocol.data)
    return EvalResult(
        task_type=TASK,
        task_name="Unconditional Image Generation",
        dataset_type=datasets.get(data, data),
        dataset_name=data,
        dataset_split=metric.protocol.split,
        metric_type=metric.name,
        metric_name=metric.title,
        metric_value=metric.value,
    )


def _own(result: Any) -> bool:
    try:
        types = [metric["type"] for metric in result["metrics"]]
        return result["task"]["type"] == TASK and bool(types) and all(map(_measurable, types))
    except (KeyError, TypeError):
        return False


def _measurable(name: Any) -> bool:
    """Whether ``zoo evaluate`` has a metric of this name, with or without a suffix of features."""
    return isinstance(name, str) and (
        name in NAMES or any(name.startswith(f"{distance}_") for distance in DISTANCES)
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
