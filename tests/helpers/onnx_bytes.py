"""A small ONNX file, encoded by hand for tests without the onnx package.

A message is a sequence of fields, each a key (number * 8 + wire type) and a varint, or a length and
that many bytes (protobuf.dev/programming-guides/encoding; the numbers are those of onnx.proto).
"""

from __future__ import annotations

FLOAT, UINT8 = 1, 2


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def value_info(name: str, kind: int, shape: list[int | str]) -> bytes:
    dims = b"".join(field(1, field(1 if isinstance(d, int) else 2, d)) for d in shape)
    tensor = field(1, kind) + field(2, dims)
    return field(1, name) + field(2, field(1, tensor))


def node(op: str, inputs: list[str], output: str, attributes: bytes = b"") -> bytes:
    return (
        b"".join(field(1, name) for name in inputs) + field(2, output) + field(4, op) + attributes
    )


def flatten_graph(shape: list[int | str], kind: int = FLOAT) -> bytes:
    """A network whose features are its input pixels, as float32."""
    to_float = field(5, field(1, "to") + field(3, FLOAT) + field(20, 2))
    graph = b"".join(
        [
            field(1, node("Cast", ["images"], "floats", to_float)),
            field(1, node("Flatten", ["floats"], "features")),
            field(2, "flatten"),
            field(11, value_info("images", kind, shape)),
            field(12, value_info("features", FLOAT, ["n", "d"])),
        ]
    )
    return field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 17))
