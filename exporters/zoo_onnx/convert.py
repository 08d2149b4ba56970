"""From a graph's module to an ONNX model: one batch dimension, plain nodes, no trace of a place."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch

from zoo.errors import ZooError
from zoo.export import graphs
from zoo_onnx.compositions import Compositions
from zoo_onnx.functions import put_together
from zoo_onnx.narrowing import transpose_narrowing
from zoo_onnx.simplify import has_batch, simplify, tidy

if TYPE_CHECKING:
    import onnx
    import onnx_ir
    from torch.export import ExportedProgram

    from zoo.specs import Graph

BATCH = "batch"

RANDOM = frozenset(
    {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform"}
    | {"RandomUniformLike"}
)


def to_onnx(graph: Graph, opset: int) -> onnx.ModelProto:
    """The graph as an ONNX model in float32, for every batch size.

    Raises ZooError where torch cannot write it, where it remembers the batch size, and where it
    draws random numbers, which a caller could not seed.
    """
    with _without_collection():
        return _written(graph, opset)


def _written(graph: Graph, opset: int) -> onnx.ModelProto:
    import onnx_ir

    compositions = Compositions(graph)
    whole, program = compositions.trace()
    try:
        with torch.no_grad(), graphs.quietly():
            model = _translated(program, whole, opset)
            put_together(model, compositions)
            simplify(model)
            transpose_narrowing(model)
            tidy(model)
    except torch.onnx.OnnxExporterError as error:
        raise ZooError(
            f"the graph {graph.name!r} cannot be written as ONNX: {_reason(error)}"
        ) from error
    _name_the_batch(model, graph)
    if drawn := {node.op_type for node in model.graph.all_nodes()} & RANDOM:
        raise ZooError(
            f"the graph {graph.name!r} draws random numbers, {', '.join(sorted(drawn))}: let what "
            "is random be an input"
        )
    return onnx_ir.to_proto(model)


def _translated(program: ExportedProgram, graph: Graph, opset: int) -> onnx_ir.Model:
    written = torch.onnx.export(
        program,
        input_names=list(graph.inputs),
        output_names=list(graph.outputs),
        opset_version=opset,
        external_data=False,
        optimize=False,
        verbose=False,
    )
    assert written is not None
    return written.model


def to_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model in float16; inputs and outputs stay in float32."""
    import onnx_ir
    from onnx_ir.passes.common import TopologicalSortPass
    from onnxruntime.transformers.float16 import convert_float_to_float16

    with graphs.quietly():
        half = onnx_ir.from_proto(convert_float_to_float16(model, keep_io_types=True))
    TopologicalSortPass()(half)  # its casts of inputs stand at the end
    return onnx_ir.to_proto(half)


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """Python does not look for garbage inside: among a million new objects of a large graph it
    would find none, at a tenth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _name_the_batch(model: Any, graph: Graph) -> None:
    """Call the first dimension of inputs and outputs ``batch``, and forget the shapes between, but
    for those of Reshape, which alone onnxruntime could not tell: of what it knows no shape it takes
    new memory for each, and the square of their number to find that out."""
    import onnx_ir

    ends = {id(value) for value in (*model.graph.inputs, *model.graph.outputs)}
    for value in (*model.graph.inputs, *model.graph.outputs):
        if value.shape is None or not value.shape:
            continue
        if isinstance(value.shape[0], int):
            raise ZooError(f"a batch size is frozen into the graph {graph.name!r}, at {value.name}")
        value.shape = onnx_ir.Shape([BATCH, *list(value.shape)[1:]])
    for node in model.graph.all_nodes():
        for value in node.outputs:
            if id(value) in ends:
                continue
            known = node.op_type == "Reshape" and has_batch(value)
            value.shape = onnx_ir.Shape([BATCH, *list(value.shape)[1:]]) if known else None


def _reason(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
