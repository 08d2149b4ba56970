"""Convolutions from many channels to few, in the form that is faster on onnxruntime's CPU."""

from __future__ import annotations

import onnx_ir as ir

MIN_RATIO = 8
"""Minimum ratio of input to output channels."""

MAX_INPUTS = 256
"""Input channels from which on moving the values costs little beside the products."""

MIN_PIXELS = 16
"""Minimum size of an image for the transposed form to pay."""


def transpose_narrowing(model: ir.Model) -> None:
    """Writes 3x3 convolutions from many channels to few as transposed ones, kernel rotated by 180°.

    Both are the same sums. onnxruntime's convolution copies each pixel's neighborhood first, nine
    times the many channels; a transposed one multiplies first and moves nine times the few.
    """
    for node in list(model.graph):
        if not _is_narrowing(node):
            continue
        weight = node.inputs[1]
        assert weight is not None
        assert weight.const_value is not None
        rotated = weight.const_value.numpy()[:, :, ::-1, ::-1].transpose(1, 0, 2, 3).copy()
        name = f"{weight.name}.rotated"
        value = model.graph.initializers.get(name)
        if value is None:
            value = ir.Value(
                name=name,
                shape=ir.Shape(rotated.shape),
                type=weight.type,
                const_value=ir.tensor(rotated, name=name),
            )
            model.graph.register_initializer(value)
        transposed = ir.node(
            "ConvTranspose",
            [node.inputs[0], value, *node.inputs[2:]],
            {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [1, 1]},
            name=node.name,
        )
        ir.convenience.replace_nodes_and_values(
            model.graph, node, [node], [transposed], node.outputs, transposed.outputs
        )


def _is_narrowing(node: ir.Node) -> bool:
    if node.op_type != "Conv" or node.inputs[1] is None or node.inputs[1].const_value is None:
        return False
    shape = node.inputs[0].shape if node.inputs[0] is not None else None
    height, width = tuple(shape)[2:] if shape is not None and len(shape) == 4 else (None, None)
    if not isinstance(height, int) or not isinstance(width, int) or height * width < MIN_PIXELS:
        return False
    outputs, inputs, *kernel = node.inputs[1].const_value.shape.numpy()
    attributes = {name: attribute.value for name, attribute in node.attributes.items()}
    return (
        kernel == [3, 3]
        and MIN_RATIO * outputs <= inputs < MAX_INPUTS
        and list(attributes.get("pads", [])) == [1, 1, 1, 1]
        and set(attributes.get("strides", [1])) == {1}
        and set(attributes.get("dilations", [1])) == {1}
        and attributes.get("group", 1) == 1
    )
