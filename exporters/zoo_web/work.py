"""How much a picture costs: by it the page shows as many as are drawn at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx


def multiply_adds(model: onnx.ModelProto) -> int:
    """Multiply-adds of a picture in the convolutions and matrix products of a graph's weights.

    What has no weights or no known size counts nothing: this is for a page's layout, `zoo bench`
    counts exactly.
    """
    import onnx

    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    values = (*inferred.input, *inferred.value_info, *inferred.output)
    shapes = {
        one.name: [size.dim_value for size in one.type.tensor_type.shape.dim] for one in values
    }
    weights = {one.name: list(one.dims) for one in inferred.initializer}
    return sum(_of_node(node, shapes, weights) for node in inferred.node)


def _of_node(
    node: onnx.NodeProto,
    shapes: dict[str, list[int]],
    weights: dict[str, list[int]],
) -> int:
    weight = next((weights[name] for name in node.input if name in weights), [])
    if node.op_type == "Conv":
        return _numbers(shapes.get(node.output[0])) * math.prod(weight[1:])
    if node.op_type == "ConvTranspose":
        return _numbers(shapes.get(node.input[0])) * math.prod(weight[1:])
    if node.op_type in ("Gemm", "MatMul") and len(weight) == 2:
        return math.prod(weight)
    return 0


def _numbers(shape: Sequence[int] | None) -> int:
    """Of one picture; a size that is not known is 0."""
    return math.prod(shape[1:]) if shape else 0
