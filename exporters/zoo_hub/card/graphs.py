"""A run's ONNX graphs in its card: a table from their parity reports, and code that draws."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.report.card import RunFacts, markdown
from zoo.runs.folder import weights_digest
from zoo_hub.card.snippet import snippet

FOLDER = "onnx"

_DRAWN = {
    "normal": "standard normal",
    "uniform": "uniform in (0, 1)",
    "logistic": "standard logistic",
}


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
    weights = weights_digest(folder)
    found = []
    for path in sorted((folder / FOLDER).glob("*.onnx")):
        try:
            report = json.loads(path.with_suffix(".json").read_text("utf-8"))
            if report["weights_sha256"] == weights and report["sha256"] == _digest(path):
                found.append(_graph(path, report))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
    return sorted(found, key=lambda one: (one.name != "sampler", one.file))


def graphs_part(graphs: Sequence[Graph], facts: RunFacts) -> str:
    """A table of ``graphs`` and Python that draws with onnxruntime; empty where there are none."""
    if not graphs:
        return ""
    header = ("file", "size", "precision", "inputs", "outputs", "largest error")
    said = ["## ONNX graphs", markdown.table(header, [_row(one) for one in graphs]), _note(graphs)]
    samplers = [one for one in graphs if one.name == "sampler"]
    if samplers and (text := snippet(samplers[0], facts.load)):
        packages = "numpy onnxruntime" + (" huggingface_hub" if "/" in facts.load else "")
        where = "" if "/" in facts.load else ", in this folder"
        said += [
            f"Any runtime of ONNX draws with them and needs no genzoo. In Python (`pip install "
            f"{packages}`){where}:",
            markdown.code("python", text),
            "Here numpy draws the latents. `examples/` of genzoo has the twenty lines that draw "
            "those of `zoo sample --seed`, so that a seed gives the same pictures everywhere.",
        ]
    return "\n\n".join(said)


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
    known = graph.distribution in _DRAWN and graph.batches
    if not known or not all(map(math.isfinite, numbers)):
        raise ValueError
    if not re.fullmatch(r"[\w.-]+", path.name, re.ASCII):
        raise ValueError
    return graph


def _row(graph: Graph) -> tuple[str, ...]:
    return (
        f"`{graph.file}`",
        f"{graph.bytes / 1e6:.1f} MB" if graph.bytes >= 1e5 else f"{graph.bytes / 1e3:.1f} kB",
        {"fp32": "float32", "fp16": "float16"}.get(graph.precision, graph.precision),
        "<br>".join(_described(name, graph) for name in graph.inputs),
        "<br>".join(_described(name, graph) for name in graph.errors),
        "<br>".join(f"`{name}` {error:.1e}" for name, error in graph.errors.items()),
    )


def _described(name: str, graph: Graph) -> str:
    """An input or output with its type and shape, where it is one that genzoo's graphs all have."""
    channels, height, width = graph.shape
    latents = f"float32 [batch, {graph.latent}]"
    known = {
        "z": f"{latents}, {_DRAWN[graph.distribution]}" if "z" in graph.inputs else latents,
        "temperature": "float32, a scalar",
        "label": f"int64 [batch], 0 to {graph.classes - 1}",
        "image": f"float32 [batch, {channels}, {height}, {width}] in [0, 1]",
        "log_prob": "float32 [batch], nats",
        "mean": latents,
        "log_variance": latents,
    }
    return f"`{name}` {known[name]}" if name in known else f"`{name}`"


def _note(graphs: Sequence[Graph]) -> str:
    """How the errors were measured."""
    sizes = sorted({size for one in graphs for size in one.batches})
    versions = ", ".join(dict.fromkeys(one.runtime for one in graphs))
    batches = f"{', '.join(map(str, sizes[:-1]))} and {sizes[-1]}" if sizes[1:] else f"{sizes[0]}"
    said = (
        f"Errors are the largest differences from the network in float64, in onnxruntime "
        f"{versions} on the CPU, at batch sizes {batches}."
    )
    trips = [one.round_trip for one in graphs if one.round_trip is not None]
    if trips:
        said += f" Pictures that were encoded and drawn again differ by {max(trips):.1e} at most."
    return said


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
