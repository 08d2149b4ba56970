"""ONNX graphs of a run, read from the parity report beside each."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import ZooError
from zoo.export.report import ParityReport, read_report
from zoo.runs.folder import RunFolder

FOLDER = "onnx"


@dataclass(frozen=True)
class ExportedGraph:
    """An exported graph: ``file`` relative to the run folder, its size in bytes, its report."""

    file: str
    bytes: int
    report: ParityReport

    @property
    def batches(self) -> set[int]:
        """Batch sizes at which the graph was compared with the network."""
        return {int(size) for output in self.report.outputs.values() for size in output.batches}


def read_graphs(folder: Path) -> list[ExportedGraph]:
    """Graphs of a run folder, the sampler first; those that :func:`read_report` refuses, or whose
    report has values that a card cannot show, are omitted."""
    weights = RunFolder(folder).weights_digest()
    graphs = []
    for path in sorted((folder / FOLDER).glob("*.onnx")):
        try:
            report = read_report(path, weights)
            graph = ExportedGraph(f"{FOLDER}/{path.name}", path.stat().st_size, report)
            if _presentable(graph):
                graphs.append(graph)
        except (ZooError, OSError, ValueError):
            continue
    return sorted(graphs, key=lambda graph: (graph.report.graph != "sampler", graph.file))


def _presentable(graph: ExportedGraph) -> bool:
    """Whether all names are safe in Markdown and in code, and all errors are finite."""
    report = graph.report
    words = (report.graph, report.precision, *report.inputs, *report.outputs)
    errors = [output.error for output in report.outputs.values()]
    errors += [report.round_trip.error] if report.round_trip else []
    return (
        all(re.fullmatch(r"\w+", word, re.ASCII) for word in words)
        and re.fullmatch(r"[\w./-]+", graph.file, re.ASCII) is not None
        and all(map(math.isfinite, errors))
        and bool(graph.batches)
    )
