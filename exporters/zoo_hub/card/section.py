"""The card's section on ONNX: a table of the graphs, and code that samples with onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.export.report import ParityReport
from zoo.report.card import RunSummary, markdown
from zoo.sampling.names import listed
from zoo_hub.card.graphs import ExportedGraph
from zoo_hub.card.snippet import snippet
from zoo_hub.contents import size_text

_DISTRIBUTIONS = {
    "normal": "standard normal",
    "uniform": "uniform in (0, 1)",
    "logistic": "standard logistic",
}


def graphs_part(graphs: Sequence[ExportedGraph], summary: RunSummary) -> str:
    """Table of ``graphs`` and Python that samples with onnxruntime; empty without graphs."""
    if not graphs:
        return ""
    header = ("file", "size", "precision", "inputs", "outputs", "largest error")
    rows = [_row(graph) for graph in graphs]
    paragraphs = ["## ONNX graphs", markdown.table(header, rows), _note(graphs)]
    samplers = [graph for graph in graphs if graph.report.graph == "sampler"]
    if samplers and (code := snippet(samplers[0].file, samplers[0].report, summary.source)):
        packages = "numpy onnxruntime" + (" huggingface_hub" if summary.on_hub else "")
        where = "" if summary.on_hub else ", in this folder"
        paragraphs += [
            "Any ONNX runtime can run them, without genzoo. In Python (`pip install "
            f"{packages}`){where}:",
            markdown.code("python", code),
            "Here numpy samples the latents. `examples/` of genzoo has twenty lines for the "
            "latents of `zoo sample --seed`, with which a seed gives the same images everywhere.",
        ]
    return "\n\n".join(paragraphs)


def _row(graph: ExportedGraph) -> tuple[str, ...]:
    report = graph.report
    return (
        f"`{graph.file}`",
        size_text(graph.bytes),
        {"fp32": "float32", "fp16": "float16"}.get(report.precision, report.precision),
        "<br>".join(described(name, report) for name in report.inputs),
        "<br>".join(described(name, report) for name in report.outputs),
        "<br>".join(f"`{name}` {output.error:.1e}" for name, output in report.outputs.items()),
    )


def described(name: str, report: ParityReport) -> str:
    """An input or output, with type and shape if genzoo defines it."""
    channels, height, width = report.image_shape
    latents = f"float32 [batch, {report.latent_size}]"
    types = {
        "z": f"{latents}, {_DISTRIBUTIONS[report.latent_distribution]}"
        if "z" in report.inputs
        else latents,
        "temperature": "float32, a scalar",
        "label": f"int64 [batch], 0 to {report.classes - 1}{_class_names(report)}",
        "image": f"float32 [batch, {channels}, {height}, {width}] in [0, 1]",
        "log_prob": "float32 [batch], nats",
        "mean": latents,
        "log_variance": latents,
    }
    return f"`{name}` {types[name]}" if name in types else f"`{name}`"


def _class_names(report: ParityReport) -> str:
    """The names of the classes, where they are not their indices."""
    names = report.class_names
    if not names or list(names) == [str(index) for index in range(len(names))]:
        return ""
    return f": {markdown.escaped(listed(names))}"


def _note(graphs: Sequence[ExportedGraph]) -> str:
    """How the errors were measured."""
    sizes = [str(size) for size in sorted({size for graph in graphs for size in graph.batches})]
    batches = f"{', '.join(sizes[:-1])} and {sizes[-1]}" if sizes[1:] else sizes[0]
    versions = ", ".join(
        dict.fromkeys(markdown.escaped(graph.report.onnxruntime_version) for graph in graphs)
    )
    note = (
        "Errors are the largest absolute differences from the network in float64, measured with "
        f"onnxruntime {versions} on the CPU at batch sizes {batches}."
    )
    round_trips = [graph.report.round_trip.error for graph in graphs if graph.report.round_trip]
    if round_trips:
        note += f" Images that are encoded and decoded differ by at most {max(round_trips):.1e}."
    return note
