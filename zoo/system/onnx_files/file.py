"""An ONNX file, which may come from a stranger: checked before anything is computed."""

from __future__ import annotations

import json
import math
import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError
from zoo.system.files import require_regular
from zoo.system.onnx_files.wire import count_values

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from onnx import AttributeProto, ModelProto, TensorProto, ValueInfoProto

MAX_BYTES = 2 * 2**30
"""The maximum size of an ONNX file without external data."""

MAX_NODES = 2**14
MAX_RANK = 64
MAX_VALUES = 2**20
"""The maximum of numbers, strings and messages, which take up to 200 times their bytes."""

MAX_INTEGER = 2**20
"""The maximum of an attribute that is one integer: a count or a size, which onnx allocates."""


class HostileGraph(ZooError):
    """An ONNX file that is damaged, incomplete, or not what it says."""


@dataclass(frozen=True)
class OnnxFile:
    """A graph in one file: no weights elsewhere, no functions, no loops, no sparse tensors."""

    path: Path
    model: ModelProto

    @classmethod
    def read(cls, path: Path) -> OnnxFile:
        """Reads ``path``, without its weights being copied twice.

        Raises OSError without a file, and HostileGraph for any other file than such a graph.
        """
        require_regular(path)
        file = cls(path, _parsed(path))
        file._check()
        return file

    def error(self, reason: str) -> HostileGraph:
        return HostileGraph(f"{self.path} {reason}: export it again, or use another file")

    @property
    def inputs(self) -> list[ValueInfoProto]:
        """The inputs that a caller provides."""
        weights = {tensor.name for tensor in self.model.graph.initializer}
        return [value for value in self.model.graph.input if value.name not in weights]

    @property
    def properties(self) -> Mapping[str, str]:
        """The metadata by key."""
        return {entry.key: entry.value for entry in self.model.metadata_props}

    def _check(self) -> None:
        from onnx import AttributeProto, SparseTensorProto, TensorProto

        messages = [self.model, *_messages(self.model)]
        if not all(map(_is_text, messages)):
            raise self.error("has names or metadata that are not UTF-8")
        for message in messages:
            if isinstance(message, TensorProto):
                self._check_tensor(message)
        for message in messages:
            if isinstance(message, AttributeProto):
                self._check_attribute(message)
            elif isinstance(message, SparseTensorProto):
                raise self.error("has sparse weights")
        if self.model.functions:
            name = _quoted(self.model.functions[0].name)
            raise self.error(f"has functions of its own, such as {name}, which are not inlined")
        if (nodes := len(self.model.graph.node)) > MAX_NODES:
            raise self.error(f"has {nodes:,} nodes and at most {MAX_NODES:,} are read")

    def _check_tensor(self, tensor: TensorProto) -> None:
        if tensor.external_data or tensor.data_location == tensor.EXTERNAL:
            data = {entry.key: entry.value for entry in tensor.external_data}
            raise HostileGraph(
                f"{self.path} keeps weights in another file, {_quoted(data.get('location', '?'))}: "
                "graphs of genzoo are one file each, so it is not opened"
            )
        rank = len(tensor.dims)
        if rank > MAX_RANK or any(size < 0 for size in tensor.dims):
            raise self.error(f"has a tensor {_quoted(tensor.name)} that is not of a shape")
        if math.prod(tensor.dims) > 8 * tensor.ByteSize():  # a value takes at least a bit
            raise self.error(
                f"has a tensor {_quoted(tensor.name)} of shape {list(tensor.dims[:8])} without its "
                "values"
            )

    def _check_attribute(self, attribute: AttributeProto) -> None:
        if attribute.HasField("g") or attribute.graphs:
            raise self.error("has conditions or loops, whose work is unknown before they run")
        if abs(attribute.i) > MAX_INTEGER and not attribute.name.startswith("value"):
            raise self.error(f"has an attribute {_quoted(attribute.name)} of {attribute.i}")


def _parsed(path: Path) -> ModelProto:
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    size, model = path.stat().st_size, ModelProto()
    if size >= MAX_BYTES:
        raise HostileGraph(f"{path} has {size:,} bytes: an ONNX file holds less than 2 GiB")
    try:
        with (
            open(path, "rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
            memoryview(data) as view,
        ):
            if count_values(view, ModelProto.DESCRIPTOR, MAX_VALUES) > MAX_VALUES:
                raise HostileGraph(
                    f"{path} has more than {MAX_VALUES:,} values beside its weights: it is not read"
                )
            model.ParseFromString(view)
    except (DecodeError, ValueError):  # ValueError: an empty file
        model = ModelProto()
    if not model.graph.node or not model.graph.output:
        raise HostileGraph(f"{path} is not an ONNX file, or is damaged: export it again")
    return model


def _messages(message: Message) -> Iterator[Any]:
    """Every message in a message: tensors, attributes, nodes, nested graphs."""
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for item in value if hasattr(value, "__len__") else (value,):
            yield item
            yield from _messages(item)


def _is_text(message: Message) -> bool:
    """Whether all strings of a message are UTF-8: protobuf returns others as bytes."""
    return not any(
        isinstance(text, bytes)
        for field, value in message.ListFields()
        if field.type == field.TYPE_STRING
        for text in ((value,) if isinstance(value, str | bytes) else value)
    )


def _quoted(text: str) -> str:
    return json.dumps(text)[:100]
