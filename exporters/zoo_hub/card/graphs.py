"""A run's ONNX graphs, as their parity reports describe them."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import ZooError
from zoo.export.metadata import Report
from zoo.report.card import markdown
from zoo.runs.folder import RunFolder

FOLDER = "onnx"


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
            report = Report.read(path.with_suffix(".json"))
            if report.weights_sha256 == weights and report.sha256 == _digest(path):
                found.append(_graph(path, report))
        except (OSError, ValueError, ZooError):
            continue
    return sorted(found, key=lambda one: (one.name != "sampler", one.file))


def _graph(path: Path, report: Report) -> Graph:
    """Raises ValueError for a report that is not one of ``zoo export``."""
    outputs = report.outputs
    graph = Graph(
        file=f"{FOLDER}/{path.name}",
        name=_word(report.graph),
        bytes=path.stat().st_size,
        precision=_word(report.precision),
        runtime=markdown.escaped(report.onnxruntime_version),
        inputs=tuple(_word(name) for name in report.inputs),
        errors={_word(name): output.error for name, output in outputs.items()},
        batches=tuple(
            sorted({int(size) for output in outputs.values() for size in output.batches})
        ),
        latent=report.latent_size,
        distribution=report.latent_distribution,
        classes=report.classes,
        temperature=report.temperature,
        shape=report.image_shape,
        round_trip=None if report.round_trip is None else report.round_trip.error,
    )
    numbers = (*graph.errors.values(), graph.temperature, graph.round_trip or 0.0)
    if not graph.batches or not all(map(math.isfinite, numbers)):
        raise ValueError
    if not re.fullmatch(r"[\w.-]+", path.name, re.ASCII):
        raise ValueError
    return graph


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _word(found: str) -> str:
    """A name that may stand in Markdown and in code. Raises ValueError for another text."""
    if not re.fullmatch(r"\w+", found, re.ASCII):
        raise ValueError
    return found
