"""Graphs of the model hold for every batch size, and what exporters make of them draws the same."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from zoo.export import graphs
from zoo.plugins.formats import formats
from zoo.specs import Format, Graph
from zoo.testing.drawing import NEAR
from zoo.testing.promise import Broken, promise
from zoo.testing.subject import Subject

SIZES = (1, 5)
"""Batch sizes that are not traced."""


@promise("graphs", "its graphs hold for batch sizes that were not traced", ("repeats",))
def every_graph(subject: Subject) -> str:
    said = []
    for graph in graphs.graphs_of(subject.model):
        program = graphs.trace(graph).module()
        worst = 0.0
        for size in SIZES:
            inputs = _inputs(subject, graph, size)
            eager = graphs.run(graph.module, graph, inputs)
            for name, tensor in graphs.run(program, graph, inputs).items():
                if tensor.shape != eager[name].shape:
                    raise Broken(
                        f"{graph.name}: {name} is {list(tensor.shape)} at batch size {size}, not "
                        f"{list(eager[name].shape)}"
                    )
                scale = max(1.0, eager[name].abs().max().item())
                difference = (tensor - eager[name]).abs().max().item() / scale
                if not difference <= NEAR:
                    raise Broken(
                        f"{graph.name}: {name} differs by {difference:.2g} at batch size {size}"
                    )
                worst = max(worst, difference)
        sizes = " and ".join(map(str, SIZES))
        said.append(f"{graph.name}, batch sizes {sizes}: the largest difference is {worst:.2g}")
    return "; ".join(said)


def _usable(subject: Subject) -> list[Format]:
    return [one for one in formats(subject.host).values() if not one.missing()]


def _no_format(subject: Subject) -> str | None:
    if _usable(subject):
        return None
    reasons = [one.missing() for one in formats(subject.host).values()]
    return "; ".join(str(reason) for reason in reasons) or "no plugin offers a format"


@promise(
    "exports",
    "what it is exported to draws its pictures, at batch sizes that were not traced",
    ("trains", "graphs", "varies"),
    _no_format,
)
def every_format(subject: Subject) -> str:
    run, said = subject.trained, []
    for one in _usable(subject):
        one.export(run)
        drawer, worst = one.open(run.path, "cpu"), 0.0
        for size in SIZES:
            pictures, expected = drawer.sample(size, seed=1), run.sample(size, seed=1).numpy()
            if pictures.shape != expected.shape:
                raise Broken(
                    f"{one.name} gives {list(pictures.shape)} at batch size {size}, not "
                    f"{list(expected.shape)}"
                )
            difference = float(np.abs(pictures - expected).max())
            if not difference <= NEAR:
                raise Broken(f"{one.name} differs by {difference:.2g} at batch size {size}")
            worst = max(worst, difference)
        said.append(f"{one.name}: the largest difference is {worst:.2g}")
    return "; ".join(said)


def _inputs(subject: Subject, graph: Graph, size: int) -> dict[str, Tensor]:
    """Inputs of a batch of ``size``: latents and pictures for names that stand for them, and the
    example's own rows in turn for others."""
    inputs = {}
    for name, example in graph.inputs.items():
        if not example.ndim:  # a temperature: another than was traced
            inputs[name] = example * 0.7 if example.is_floating_point() else example
            continue
        rows = torch.arange(size, device=example.device) % len(example)
        inputs[name] = example[rows]
        known = None
        if name == "z":
            known = subject.latents(subject.model, size)
        elif name == "image":
            known = subject.batch(size).images
        if known is not None and known.shape[1:] == example.shape[1:]:
            inputs[name] = known.to(example)
    return inputs
