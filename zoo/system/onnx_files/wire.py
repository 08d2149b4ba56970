"""Number of values in the bytes of an ONNX file, counted before they are parsed.

A message of two bytes takes two hundred in memory. The encoding:
protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor

VARINT, EIGHT_BYTES, LENGTH, FOUR_BYTES = 0, 1, 2, 5


class Damaged(ValueError):
    """Bytes that are not a message."""


def count_values(data: memoryview, message: Descriptor, maximum: int) -> int:
    """Returns the number of values in ``data``, a ``message``: of numbers, strings and messages,
    but not of the bytes of tensors. Stops above ``maximum``. Raises Damaged."""
    count, messages = 0, [(0, len(data), message)]
    while messages and count <= maximum:
        position, end, message = messages.pop()
        inner, numbers = _fields(message)
        while position < end and count <= maximum:
            key, position = _varint(data, position)
            field, kind = key >> 3, key & 7
            count += 1
            if kind == VARINT:
                _, position = _varint(data, position)
            elif kind in (EIGHT_BYTES, FOUR_BYTES):
                position += 8 if kind == EIGHT_BYTES else 4
            elif kind == LENGTH:
                length, position = _varint(data, position)
                if field in inner:
                    messages.append((position, position + length, inner[field]))
                count += length // 8 if field in numbers else 0
                position += length
            else:
                raise Damaged
        if position > end and count <= maximum:
            raise Damaged
    return count


@cache
def _fields(message: Descriptor) -> tuple[dict[int, Descriptor], frozenset[int]]:
    """Returns the fields that are messages, and those of numbers of variable length."""
    fields = message.fields
    integers = {field.number for field in fields if "int" in _type(field.type)}
    return (
        {field.number: field.message_type for field in fields if field.message_type is not None},
        frozenset(integers),
    )


@cache
def _type(number: int) -> str:
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto

    return FieldDescriptorProto.Type.Name(number).lower()


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            raise Damaged
        byte = data[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
    raise Damaged
