"""Conversion of a graph's module to an ONNX model with one batch dimension and standard nodes."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch

from zoo.errors import ZooError
from zoo.export import graphs
from zoo_onnx.compositions import Compositions
from zoo_onnx.functions import expand_chains
from zoo_onnx.narrowing import transpose_narrowing
from zoo_onnx.simplify import clean_up, has_batch, simplify

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
    """Returns the graph as an ONNX model in float32, for every batch size.

    Raises ZooError if torch cannot convert it, if it has a fixed batch size, and if it generates
    random numbers, which a caller could not seed.
    """
    with _without_garbage_collection():
        return _convert(graph, opset)


def _convert(graph: Graph, opset: int) -> onnx.ModelProto:
    import onnx_ir

    compositions = Compositions(graph)
    whole, program = compositions.trace()
    try:
        with torch.no_grad(), graphs.quietly():
            model = _translate(program, whole, opset)
            expand_chains(model, compositions)
            simplify(model)
            transpose_narrowing(model)
            clean_up(model)
    except torch.onnx.OnnxExporterError as error:
        raise ZooError(
            f"the graph {graph.name!r} cannot be converted to ONNX: {_reason(error)}"
        ) from error
    _name_batch(model, graph)
    if random := {node.op_type for node in model.graph.all_nodes()} & RANDOM:
        raise ZooError(
            f"the graph {graph.name!r} generates random numbers ({', '.join(sorted(random))}): "
            "make them an input"
        )
    proto = onnx_ir.to_proto(model)
    # Their order would depend on memory addresses, and the bytes of the file with it.
    proto.graph.initializer.sort(key=lambda tensor: tensor.name)
    proto.graph.value_info.sort(key=lambda value: value.name)
    return proto


def _translate(program: ExportedProgram, graph: Graph, opset: int) -> onnx_ir.Model:
    translated = torch.onnx.export(
        program,
        input_names=list(graph.inputs),
        output_names=list(graph.outputs),
        opset_version=opset,
        external_data=False,
        optimize=False,
        verbose=False,
    )
    assert translated is not None
    return translated.model


def to_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """Returns the model in float16, with inputs and outputs in float32."""
    import onnx_ir
    from onnx_ir.passes.common import TopologicalSortPass
    from onnxruntime.transformers.float16 import convert_float_to_float16

    with graphs.quietly():
        half = onnx_ir.from_proto(convert_float_to_float16(model, keep_io_types=True))
    TopologicalSortPass()(half)  # the casts of the inputs come last otherwise
    return onnx_ir.to_proto(half)


@contextlib.contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Disables Python's garbage collector: on the million new objects of a large graph it frees
    nothing and takes a tenth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _name_batch(model: Any, graph: Graph) -> None:
    """Names the first dimension of inputs and outputs ``batch`` and drops the inner shapes.

    Those of Reshape stay, which onnxruntime cannot infer: for values of unknown shape it allocates
    new memory each, and plans that in quadratic time.
    """
    import onnx_ir

    ends = {id(value) for value in (*model.graph.inputs, *model.graph.outputs)}
    for value in (*model.graph.inputs, *model.graph.outputs):
        if value.shape is None or not value.shape:
            continue
        if isinstance(value.shape[0], int):
            raise ZooError(f"the graph {graph.name!r} has a fixed batch size, at {value.name}")
        value.shape = onnx_ir.Shape([BATCH, *list(value.shape)[1:]])
    for node in model.graph.all_nodes():
        for value in node.outputs:
            if id(value) in ends:
                continue
            keep = node.op_type == "Reshape" and has_batch(value)
            value.shape = onnx_ir.Shape([BATCH, *list(value.shape)[1:]]) if keep else None


def _reason(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
