"""Graphs: valid at every batch size, and exported without changing the samples."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from zoo.export import graphs
from zoo.plugins.formats import formats
from zoo.specs import Format, Graph
from zoo.testing.promise import Broken, promise
from zoo.testing.sampling import TOLERANCE
from zoo.testing.subject import Subject

SIZES = (1, 5)
"""Batch sizes other than the traced one."""


@promise("graphs", "its graphs hold at batch sizes that were not traced", ("deterministic",))
def every_graph(subject: Subject) -> str:
    results = []
    for graph in graphs.graphs_of(subject.model):
        program = graphs.trace(graph).module()
        max_difference = 0.0
        for size in SIZES:
            inputs = _inputs(subject, graph, size)
            eager = graphs.run(graph.module, graph, inputs)
            for name, tensor in graphs.run(program, graph, inputs).items():
                if tensor.shape != eager[name].shape:
                    raise Broken(
                        f"{graph.name}: at batch size {size}, {name} must be "
                        f"{list(eager[name].shape)}, got {list(tensor.shape)}"
                    )
                scale = max(1.0, eager[name].abs().max().item())
                difference = (tensor - eager[name]).abs().max().item() / scale
                if not difference <= TOLERANCE:
                    raise Broken(
                        f"{graph.name}: {name} differs by {difference:.2g} at batch size {size}"
                    )
                max_difference = max(max_difference, difference)
        sizes = " and ".join(map(str, SIZES))
        results.append(f"{graph.name} at {sizes}: largest difference {max_difference:.2g}")
    return "; ".join(results)


def _usable(subject: Subject) -> list[Format]:
    return [format for format in formats(subject.host).values() if not format.missing()]


def _no_format(subject: Subject) -> str | None:
    if _usable(subject):
        return None
    reasons = [format.missing() for format in formats(subject.host).values()]
    return "; ".join(str(reason) for reason in reasons) or "no plugin offers a format"


@promise(
    "exports",
    "exported graphs generate the same images, at batch sizes that were not traced",
    ("trains", "graphs", "varies"),
    _no_format,
)
def every_format(subject: Subject) -> str:
    run, results = subject.trained, []
    named = [(SIZES[-1], run.class_names[-1])] if run.class_names else []
    for format in _usable(subject):
        format.export(run)
        generator, max_difference = format.open(run.path, "cpu"), 0.0
        for size, label in [*((size, None) for size in SIZES), *named]:
            images = generator.sample(size, seed=1, labels=label)
            expected = run.sample(size, seed=1, labels=label).numpy()
            if images.shape != expected.shape:
                raise Broken(
                    f"{format.name}: at batch size {size}, images must be {list(expected.shape)}, "
                    f"got {list(images.shape)}"
                )
            difference = float(np.abs(images - expected).max())
            if not difference <= TOLERANCE:
                raise Broken(f"{format.name} differs by {difference:.2g} at batch size {size}")
            max_difference = max(max_difference, difference)
        results.append(f"{format.name}: largest difference {max_difference:.2g}")
    return "; ".join(results)


def _inputs(subject: Subject, graph: Graph, size: int) -> dict[str, Tensor]:
    """Returns inputs of ``size`` rows: latents for ``z``, training images for ``image``, else
    repeated rows of the example."""
    inputs = {}
    for name, example in graph.inputs.items():
        if not example.ndim:  # a temperature, other than the traced one
            inputs[name] = example * 0.7 if example.is_floating_point() else example
            continue
        rows = torch.arange(size, device=example.device) % len(example)
        inputs[name] = example[rows]
        data = None
        if name == "z":
            data = subject.latents(subject.model, size)
        elif name == "image":
            data = subject.batch(size).images
        if data is not None and data.shape[1:] == example.shape[1:]:
            inputs[name] = data.to(example)
    return inputs
