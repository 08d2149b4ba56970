"""The work per image, which decides how many images the page shows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

    from zoo.system.onnx_files.values import Value


def multiply_adds(model: onnx.ModelProto, values: Mapping[str, Value]) -> int:
    """Multiply-adds in the convolutions and matrix products with weights of a graph, whose
    ``values`` are those of one image.

    This is for the layout of the page, ``zoo bench`` counts exactly.
    """
    weights = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    return sum(_multiply_adds(node, values, weights) for node in model.graph.node)


def _multiply_adds(
    node: onnx.NodeProto, values: Mapping[str, Value], weights: Mapping[str, list[int]]
) -> int:
    weight = next((weights[name] for name in node.input if name in weights), [])
    if node.op_type == "Conv":
        return math.prod(values[node.output[0]].shape) * math.prod(weight[1:])
    if node.op_type == "ConvTranspose":
        return math.prod(values[node.input[0]].shape) * math.prod(weight[1:])
    if node.op_type in ("Gemm", "MatMul") and len(weight) == 2:
        return math.prod(weight)
    return 0
