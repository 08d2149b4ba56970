"""Types and shapes of all values of an ONNX graph, inferred before it runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from zoo.errors import first_line
from zoo.system.onnx_files.file import MAX_RANK, OnnxFile

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import NodeProto, TensorProto, TypeProto

MAX_KNOWN = 2**10
"""Maximum number of values of a tensor that shapes are computed from."""

COPIES = frozenset(
    {"Concat", "Constant", "Gather", "Identity", "Reshape", "Slice", "Squeeze", "Unsqueeze"}
)
SHAPE_OPERATORS = COPIES | {
    *("Add", "Cast", "ConstantOfShape", "Div", "Equal", "Expand", "Max", "Min", "Mul", "Range"),
    *("Shape", "Size", "Sub", "Where"),
}
"""Operators from which exporters compute shapes. On integers, onnx's reference and onnxruntime
agree in them, but for a division of negative numbers, which is left out; other numbers are only
copied."""

LIKE_INPUT = frozenset({"GroupNormalization", "MeanVarianceNormalization"})
"""Operators without a shape inference in onnx, whose output is like their first input."""


@dataclass(frozen=True)
class Value:
    """A tensor's type, of ``onnx.TensorProto``, and its shape."""

    kind: int
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        from onnx.helper import tensor_dtype_to_np_dtype

        return math.prod(self.shape) * int(tensor_dtype_to_np_dtype(self.kind).itemsize)


def infer_values(file: OnnxFile, inputs: Mapping[str, Sequence[int]]) -> dict[str, Value]:
    """Returns every value of a graph by name, for ``inputs`` of these shapes.

    Raises HostileGraph for a graph that is not valid, whose shapes depend on its values, or whose
    outputs are of other types or shapes than it declares.
    """
    return _Inference(file, inputs).values


class _Inference:
    def __init__(self, file: OnnxFile, inputs: Mapping[str, Sequence[int]]) -> None:
        self.file = file
        self.values: dict[str, Value] = {}
        self._types: dict[str, TypeProto] = {}
        self._known: dict[str, TensorProto] = {}
        for tensor in file.model.graph.initializer:
            self._add(tensor.name, tensor.data_type, tensor.dims)
            if math.prod(tensor.dims) <= MAX_KNOWN:
                self._known[tensor.name] = tensor
        for value in file.inputs:
            if value.name not in inputs or not value.type.HasField("tensor_type"):
                raise file.error(f"has an input {value.name!r:.80} of unknown shape")
            self._add(value.name, value.type.tensor_type.elem_type, inputs[value.name])
        for node in file.model.graph.node:
            self._infer(node)
        self._check_outputs()

    @cached_property
    def _versions(self) -> dict[str, int]:
        return {opset.domain: opset.version for opset in self.file.model.opset_import}

    def _add(self, name: str, kind: int, shape: Sequence[int]) -> None:
        from onnx.helper import make_tensor_type_proto

        if name in self.values:
            raise self.file.error(f"has two values {name!r:.80}")
        if kind_name(kind) in ("undefined", "string", ""):
            raise self.file.error(f"has a value {name!r:.80} that is not of numbers")
        if len(shape) > MAX_RANK:
            raise self.file.error(f"has a value {name!r:.80} of {len(shape):,} dimensions")
        self.values[name] = Value(kind, tuple(shape))
        self._types[name] = make_tensor_type_proto(kind, self.values[name].shape)

    def _infer(self, node: NodeProto) -> None:
        from onnx.defs import get_schema
        from onnx.shape_inference import infer_node_outputs

        names = [name for name in node.input if name]
        if unknown := [name for name in names if name not in self.values]:
            raise self.file.error(f"uses {unknown[0]!r:.80} before it is computed")
        if not any(node.output):
            raise self.file.error(f"has a node {node.op_type!r:.80} that computes nothing")
        try:
            schema = get_schema(node.op_type, self._versions.get(node.domain, 0), node.domain)
            types = infer_node_outputs(
                schema,
                node,
                {name: self._types[name] for name in names},
                {name: self._known[name] for name in names if name in self._known},
                opset_imports=list(self.file.model.opset_import),
                ir_version=self.file.model.ir_version,
            )
        except Exception as error:  # onnx's errors have no common base
            raise self.file.error(
                f"is not a valid graph, {node.op_type!r:.80}: {first_line(error):.200}"
            ) from error
        for name in filter(None, node.output):
            self._add_output(node, name, types.get(name))
        self._evaluate(node, names)

    def _add_output(self, node: NodeProto, name: str, type: TypeProto | None) -> None:
        first = self.values.get(node.input[0]) if node.input else None
        if node.op_type in LIKE_INPUT and first is not None:
            self._add(name, first.kind, first.shape)
            return
        tensor = None if type is None else type.tensor_type
        if (
            tensor is None
            or not tensor.HasField("shape")
            or any(
                not size.HasField("dim_value") or size.dim_value < 0 for size in tensor.shape.dim
            )
        ):
            raise self.file.error(f"has a shape that depends on values, by {node.op_type!r:.80}")
        self._add(name, tensor.elem_type, [size.dim_value for size in tensor.shape.dim])

    def _evaluate(self, node: NodeProto, names: Sequence[str]) -> None:
        """Computes the outputs of a node that are parts of shapes."""
        import numpy as np
        from onnx.numpy_helper import from_array

        if node.op_type not in SHAPE_OPERATORS or node.domain or len(node.output) != 1:
            return
        (name,) = node.output
        if math.prod(self.values[name].shape) > MAX_KNOWN:
            return
        try:
            arrays = {name: self._array(node, name) for name in names}
            if any(array is None for array in arrays.values()):
                return
            with np.errstate(all="ignore"):
                (result,) = self._evaluator(node, names).run(None, arrays, {})
            tensor = from_array(np.asarray(result), name)
        except Exception:  # the reference's errors have no common base; the shapes stay unknown
            return
        if tuple(tensor.dims) == self.values[name].shape:
            self._known[name] = tensor

    def _array(self, node: NodeProto, name: str) -> NDArray[Any] | None:
        import numpy as np
        from onnx.numpy_helper import to_array

        if node.op_type in ("Shape", "Size"):
            return np.broadcast_to(np.float32(0), self.values[name].shape)  # of no memory
        if name not in self._known:
            return None
        array = to_array(self._known[name])
        exact = array.dtype.kind in "ib" or node.op_type in COPIES
        return array if exact and not (node.op_type == "Div" and (array < 0).any()) else None

    def _evaluator(self, node: NodeProto, names: Sequence[str]) -> Any:
        from onnx.helper import make_function
        from onnx.reference import ReferenceEvaluator

        imports = list(self.file.model.opset_import)
        names = list(dict.fromkeys(names))
        return ReferenceEvaluator(make_function("", "f", names, list(node.output), [node], imports))

    def _check_outputs(self) -> None:
        for output in self.file.model.graph.output:
            name, declared = output.name, output.type.tensor_type
            if name not in self.values:
                raise self.file.error(f"declares an output {name!r:.80} that it does not compute")
            value = self.values[name]
            sizes = [size.dim_value for size in declared.shape.dim]
            equal = not declared.HasField("shape") or (
                len(sizes) == len(value.shape)
                and all(a in (0, b) for a, b in zip(sizes, value.shape, strict=True))
            )
            if not equal or declared.elem_type != value.kind:
                stated = f"{kind_name(declared.elem_type)} {sizes[:8]}"
                computed = f"{kind_name(value.kind)} {list(value.shape[:8])}"
                raise self.file.error(
                    f"declares its output {name!r:.80} as {stated} and computes {computed}"
                )


@cache
def kind_name(kind: int) -> str:
    """Returns the name of a type of ``onnx.TensorProto``; empty if there is none."""
    from onnx import TensorProto

    return dict(map(reversed, TensorProto.DataType.items())).get(kind, "").lower()
