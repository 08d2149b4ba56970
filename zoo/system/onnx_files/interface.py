"""Inputs and outputs of a graph of genzoo, all with a row for each image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from zoo.system.onnx_files.file import OnnxFile
from zoo.system.onnx_files.memory import largest_batch
from zoo.system.onnx_files.values import Value


@dataclass(frozen=True)
class Interface:
    """The sizes of a row of each input and output, and all ``values`` for ``batch`` rows."""

    batch: int
    inputs: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, tuple[int, ...]]
    values: Mapping[str, Value]

    @classmethod
    def of(cls, file: OnnxFile, maximum: int) -> Interface:
        """Returns that of a graph for as many rows as fit into memory, at most ``maximum``.

        Raises HostileGraph as :func:`largest_batch`, and for other inputs and outputs.
        """
        batch, values = largest_batch(file, partial(input_shapes, file), maximum)
        inputs = {name: shape[1:] for name, shape in input_shapes(file, batch).items()}
        outputs = {}
        for output in file.model.graph.output:
            shape = values[output.name].shape
            if shape[:1] != (batch,):
                raise file.error(f"has an output {output.name!r:.80} without a row for each image")
            outputs[output.name] = shape[1:]
        return cls(batch, inputs, outputs, values)


def input_shapes(file: OnnxFile, batch: int) -> dict[str, tuple[int, ...]]:
    """Returns the shape of each input of a graph of genzoo: only the batch size may vary."""
    shapes = {}
    for value in file.inputs:
        sizes = value.type.tensor_type.shape.dim
        if not all(size.HasField("dim_value") for size in sizes[1:]):
            raise file.error(f"has an input {value.name!r:.80} whose sizes are not stated")
        shapes[value.name] = (batch, *(size.dim_value for size in sizes[1:])) if sizes else ()
    return shapes
