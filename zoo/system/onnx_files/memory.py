"""Memory that an ONNX graph needs, and with it its batch size, known before it runs.

onnxruntime bounds that of all sessions of a process alone, and not that of constants.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from zoo.system.onnx_files.file import OnnxFile
from zoo.system.onnx_files.values import Value, infer_values
from zoo.system.onnx_files.work import require_work

if TYPE_CHECKING:
    from onnx import NodeProto

MAX_MEMORY = 2**29
"""Maximum bytes of a graph's values at one time, beside its weights."""

Shapes = Callable[[int], Mapping[str, Sequence[int]]]
"""The shape of each input at a batch size."""


def largest_batch(file: OnnxFile, shapes: Shapes, maximum: int) -> tuple[int, dict[str, Value]]:
    """Returns the batch size, at most ``maximum``, that fits into :data:`MAX_MEMORY`, and the
    graph's values at it.

    Raises HostileGraph if a batch of one does not fit, and as :func:`infer_values` and
    :func:`~zoo.system.onnx_files.work.require_work`.
    """
    values = infer_values(file, shapes(1))
    if (least := peak(file, values)) > MAX_MEMORY:
        raise _too_large(file, 1, least, MAX_MEMORY)
    require_work(file, values, 1)
    if maximum == 1:
        return 1, values
    size, larger = maximum, infer_values(file, shapes(maximum))
    if (most := peak(file, larger)) > MAX_MEMORY:
        # The largest of values that grow linearly is below its chord.
        size = 1 + (MAX_MEMORY - least) * (maximum - 1) // (most - least)
        larger = infer_values(file, shapes(size))
        if peak(file, larger) > MAX_MEMORY:
            return 1, values
    require_work(file, larger, size)
    return size, larger


def require_fitting(file: OnnxFile, shapes: Shapes, size: int, maximum: int) -> None:
    """Raises HostileGraph if a batch of ``size`` needs more than ``maximum`` bytes, and as
    :func:`largest_batch`."""
    values = infer_values(file, shapes(size))
    if (needed := peak(file, values)) > maximum:
        raise _too_large(file, size, needed, maximum)
    require_work(file, values, size)


def _too_large(file: OnnxFile, size: int, needed: int, maximum: int) -> Exception:
    images = "one image" if size == 1 else f"{size} images"
    return file.error(
        f"needs {needed / 2**30:,.1f} GiB of memory for {images}, and it gets at most "
        f"{maximum / 2**30:.1f}"
    )


def peak(file: OnnxFile, values: Mapping[str, Value]) -> int:
    """Returns the maximum bytes of values that are needed at one time, in the order of the nodes.

    Values of constants alone, which onnxruntime computes when it opens the graph, are kept, and
    count twice, as they are copied; weights do not count.
    """
    graph = file.model.graph
    last = {name: index for index, node in enumerate(graph.node) for name in node.input}
    constant = {tensor.name for tensor in graph.initializer}
    kept = {value.name for value in graph.output}
    live = largest = sum(values[value.name].bytes for value in file.inputs)
    for index, node in enumerate(graph.node):
        names = [name for name in node.output if name]
        if all(name in constant for name in node.input if name):
            constant.update(names)
        live += sum(values[name].bytes * (2 if name in constant else 1) for name in names)
        largest = max(largest, live + _workspace(node, values))
        for name in {*node.input, *names} - constant - kept - {""}:
            if last.get(name, index) == index:
                live -= values[name].bytes
    return largest


def _workspace(node: NodeProto, values: Mapping[str, Value]) -> int:
    """Bytes that onnxruntime takes inside of a node, where they can be many."""
    if node.op_type == "ConvTranspose":  # the columns of one image, before they are added up
        image, weight = (values[name] for name in node.input[:2])
        return 4 * math.prod(weight.shape[1:]) * math.prod(image.shape[2:])
    if node.op_type == "Attention":  # a weight for each pair of positions
        query, key = (values[name] for name in node.input[:2])
        stated = [attribute.i for attribute in node.attribute if "heads" in attribute.name]
        heads = query.shape[1] if len(query.shape) == 4 else max([1, *stated])
        return 8 * query.shape[0] * heads * query.shape[-2] * key.shape[-2]
    return 0
