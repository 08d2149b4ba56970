"""Work of an ONNX graph, estimated before it runs: onnxruntime cannot be stopped in a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from zoo.system.onnx_files.file import OnnxFile
from zoo.system.onnx_files.values import Value

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

MAX_WORK = 2**42
"""Maximum work of a graph for one image, in multiply-adds: minutes on a few cores. Glow with its
paper's depth and width takes 2^40 for 512x512 pixels."""

ELEMENT = 16
"""Multiply-adds of a product that take as long as one value of another operator."""

Values = Mapping[str, Value]


def require_work(file: OnnxFile, values: Values, batch: int) -> None:
    """Raises HostileGraph for a graph of ``values`` whose work for ``batch`` images is over
    MAX_WORK each, and for one without an input or attribute that an operator requires."""
    try:
        needed = sum(_work(node, values) for node in file.model.graph.node)
    except (LookupError, ValueError) as error:
        raise file.error("is not a valid graph, an input or attribute is missing") from error
    if needed > batch * MAX_WORK:
        raise file.error(
            f"computes some {needed / batch:.1e} operations per image, and at most {MAX_WORK:.1e} "
            "are run"
        )


def multiply_adds(model: ModelProto, values: Values) -> int:
    """Multiply-adds in the convolutions and matrix products of a graph."""
    return sum(_product(node, values) or 0 for node in model.graph.node)


def _work(node: NodeProto, values: Values) -> int:
    if (product := _product(node, values)) is not None:
        return product + _elements(node, values)
    return ELEMENT * _elements(node, values) * max(1, _per_element(node, values))


def _product(node: NodeProto, values: Values) -> int | None:
    """Multiply-adds of a convolution or matrix product; None for another operator."""
    shapes = [values[name].shape if name else () for name in node.input]
    outputs = math.prod(values[node.output[0]].shape) if node.output[0] else 0
    match node.op_type:
        case "Conv" | "ConvInteger" | "DeformConv":
            return outputs * math.prod(shapes[1][1:])
        case "QLinearConv":
            return outputs * math.prod(shapes[3][1:])
        case "ConvTranspose":
            return math.prod(shapes[0]) * math.prod(shapes[1][1:])
        case "MatMul" | "MatMulInteger" | "QLinearMatMul":
            return outputs * shapes[0][-1]
        case "Gemm":
            transposed = any(a.name == "transA" and a.i for a in node.attribute)
            return outputs * shapes[0][0 if transposed else 1]
        case "Einsum":
            return _einsum(node, shapes)
        case "Attention":
            return 2 * math.prod(shapes[0]) * shapes[1][-2]
        case "LSTM" | "GRU" | "RNN":  # images, weights and recurrent weights
            steps = math.prod(shapes[0][:2])
            return steps * (math.prod(shapes[1]) + math.prod(shapes[2]))
    return None


def _einsum(node: NodeProto, shapes: list[tuple[int, ...]]) -> int:
    """The product of the sizes of all labels; those of an ellipsis are its largest."""
    equation = next((a.s.decode() for a in node.attribute if a.name == "equation"), "")
    terms = equation.replace(" ", "").partition("->")[0].split(",")
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=False):
        before, dots, behind = term.partition("...")
        end = len(shape) - len(behind)
        inner = {"...": math.prod(shape[len(before) : end])} if dots else {}
        labels = [*zip(before, shape, strict=False), *zip(behind, shape[end:], strict=False)]
        for label, size in [*labels, *inner.items()]:
            sizes[label] = max(size, sizes.get(label, 1))
    return math.prod(sizes.values())


def _elements(node: NodeProto, values: Values) -> int:
    names = [name for name in (*node.input, *node.output) if name]
    return sum(math.prod(values[name].shape) for name in names)


def _per_element(node: NodeProto, values: Values) -> int:
    """Values that an operator reads for one of its inputs and outputs, if that is not one."""
    attributes = {attribute.name: attribute for attribute in node.attribute}
    first = values[node.input[0]].shape if node.input and node.input[0] else ()
    if node.domain:  # trees and vectors, in attributes
        return 1 + sum(len(a.ints) + len(a.floats) + len(a.strings) for a in node.attribute)
    match node.op_type:
        case "MaxPool" | "AveragePool" | "LpPool":
            return math.prod(attributes["kernel_shape"].ints)
        case "LRN":
            return attributes["size"].i
        case "RoiAlign" | "MaxRoiPool":
            ratio = attributes["sampling_ratio"].i if "sampling_ratio" in attributes else 0
            return ratio**2 or math.prod(first[2:])
        case "Det" | "Multinomial":
            return first[-1]
        case "DFT" | "STFT":
            return max(first)
        case "Resize" | "GridSample" | "TopK":
            return 32
    return 1
