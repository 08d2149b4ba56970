"""The work per image, which decides how many images the page shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx


def multiply_adds(model: onnx.ModelProto) -> int:
    """Multiply-adds per image in the convolutions and matrix products with weights of a graph.

    Nodes of unknown size count as 0: this is for the layout of the page, ``zoo bench`` counts
    exactly.
    """
    import onnx

    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    values = (*inferred.input, *inferred.value_info, *inferred.output)
    shapes = {
        value.name: [size.dim_value for size in value.type.tensor_type.shape.dim]
        for value in values
    }
    weights = {tensor.name: list(tensor.dims) for tensor in inferred.initializer}
    return sum(_multiply_adds(node, shapes, weights) for node in inferred.node)


def _multiply_adds(
    node: onnx.NodeProto,
    shapes: dict[str, list[int]],
    weights: dict[str, list[int]],
) -> int:
    weight = next((weights[name] for name in node.input if name in weights), [])
    if node.op_type == "Conv":
        return _values(shapes.get(node.output[0])) * math.prod(weight[1:])
    if node.op_type == "ConvTranspose":
        return _values(shapes.get(node.input[0])) * math.prod(weight[1:])
    if node.op_type in ("Gemm", "MatMul") and len(weight) == 2:
        return math.prod(weight)
    return 0


def _values(shape: Sequence[int] | None) -> int:
    """Number of values of one image; 0 if a size is unknown."""
    return math.prod(shape[1:]) if shape else 0
