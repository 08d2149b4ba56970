"""A run's ONNX graphs, as their parity reports describe them."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.report.card import markdown
from zoo.runs.folder import RunFolder

FOLDER = "onnx"

DISTRIBUTIONS = ("normal", "uniform", "logistic")


@dataclass(frozen=True)
class Graph:
    """A graph of the run's weights, as its report describes it: ``file`` in the run's folder,
    ``errors`` by output, the largest from the network in float64."""

    file: str
    name: str
    bytes: int
    precision: str
    runtime: str
    inputs: tuple[str, ...]
    errors: Mapping[str, float]
    batches: tuple[int, ...]
    latent: int
    distribution: str
    classes: int
    temperature: float
    shape: tuple[int, int, int]
    round_trip: float | None = None


def read_graphs(folder: Path) -> list[Graph]:
    """The graphs in ``onnx`` of a run folder, the sampler first.

    Left out is a graph without a report, a file that is not the one that was measured, and one of
    other weights than the run now has.
    """
    weights = RunFolder(folder).weights_digest()
    found = []
    for path in sorted((folder / FOLDER).glob("*.onnx")):
        try:
            report = json.loads(path.with_suffix(".json").read_text("utf-8"))
            if report["weights_sha256"] == weights and report["sha256"] == _digest(path):
                found.append(_graph(path, report))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
    return sorted(found, key=lambda one: (one.name != "sampler", one.file))


def _graph(path: Path, report: Mapping[str, Any]) -> Graph:
    """Raises ValueError, KeyError or TypeError for a report that is not one of ``zoo export``."""
    outputs = report["outputs"]
    graph = Graph(
        file=f"{FOLDER}/{path.name}",
        name=_word(report["graph"]),
        bytes=path.stat().st_size,
        precision=_word(report["precision"]),
        runtime=markdown.escaped(str(report["onnxruntime_version"])),
        inputs=tuple(_word(name) for name in report["inputs"]),
        errors={_word(name): float(one["max_abs_error_float64"]) for name, one in outputs.items()},
        batches=tuple(sorted({int(size) for one in outputs.values() for size in one["batches"]})),
        latent=int(report["latent_size"]),
        distribution=_word(report["latent_distribution"]),
        classes=int(report["classes"]),
        temperature=float(report["temperature"]),
        shape=_shape(report["image_shape"]),
        round_trip=float(report["round_trip"]["max_abs_error"]) if "round_trip" in report else None,
    )
    numbers = (*graph.errors.values(), graph.temperature, graph.round_trip or 0.0)
    known = graph.distribution in DISTRIBUTIONS and graph.batches
    if not known or not all(map(math.isfinite, numbers)):
        raise ValueError
    if not re.fullmatch(r"[\w.-]+", path.name, re.ASCII):
        raise ValueError
    return graph


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _word(found: Any) -> str:
    """A name that may stand in Markdown and in code. Raises ValueError for another text."""
    if not isinstance(found, str) or not re.fullmatch(r"\w+", found, re.ASCII):
        raise ValueError
    return found


def _shape(found: Any) -> tuple[int, int, int]:
    channels, height, width = found
    return int(channels), int(height), int(width)
