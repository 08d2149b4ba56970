"""The card's section on ONNX: a table of the graphs, and code that draws with onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.report.card import RunFacts, markdown
from zoo_hub.card.graphs import Graph
from zoo_hub.card.snippet import snippet

_DRAWN = {
    "normal": "standard normal",
    "uniform": "uniform in (0, 1)",
    "logistic": "standard logistic",
}


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
