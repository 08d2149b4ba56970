"""Convolutions of many channels to few, in the way that onnxruntime's CPU computes faster."""

from __future__ import annotations

import onnx_ir as ir

RATIO = 8
"""So many times as many channels as come out go into one that is narrowing, at least."""

WIDE = 256
"""From so many channels on, what is moved is little beside what is multiplied."""


PIXELS = 16
"""Of a picture, from which on it pays."""


def transpose_narrowing(model: ir.Model) -> None:
    """Write 3x3 convolutions of many channels to few as transposed ones with the kernel turned.

    Both are the same sums. But onnxruntime's convolution writes down each pixel's surroundings and
    multiplies then, nine times the many channels, where a transposed one multiplies first and moves
    nine times the few.
    """
    for node in list(model.graph):
        if not _is_narrowing(node):
            continue
        weight = node.inputs[1]
        assert weight is not None
        assert weight.const_value is not None
        turned = weight.const_value.numpy()[:, :, ::-1, ::-1].transpose(1, 0, 2, 3).copy()
        name = f"{weight.name}.turned"
        value = model.graph.initializers.get(name)
        if value is None:
            value = ir.Value(
                name=name,
                shape=ir.Shape(turned.shape),
                type=weight.type,
                const_value=ir.tensor(turned, name=name),
            )
            model.graph.register_initializer(value)
        new = ir.node(
            "ConvTranspose",
            [node.inputs[0], value, *node.inputs[2:]],
            {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [1, 1]},
            name=node.name,
        )
        ir.convenience.replace_nodes_and_values(
            model.graph, node, [node], [new], node.outputs, new.outputs
        )


def _is_narrowing(node: ir.Node) -> bool:
    if node.op_type != "Conv" or node.inputs[1] is None or node.inputs[1].const_value is None:
        return False
    shape = node.inputs[0].shape if node.inputs[0] is not None else None
    height, width = tuple(shape)[2:] if shape is not None and len(shape) == 4 else (None, None)
    if not isinstance(height, int) or not isinstance(width, int) or height * width < PIXELS:
        return False
    outputs, inputs, *kernel = node.inputs[1].const_value.shape.numpy()
    given = {name: attribute.value for name, attribute in node.attributes.items()}
    return (
        kernel == [3, 3]
        and RATIO * outputs <= inputs < WIDE
        and list(given.get("pads", [])) == [1, 1, 1, 1]
        and set(given.get("strides", [1])) == {1}
        and set(given.get("dilations", [1])) == {1}
        and given.get("group", 1) == 1
    )
