"""Hostile ONNX files, made from one that works, whose output is called ``image``."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from typing import Any

import onnx
import onnx_bytes
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper

Change = Callable[[bytes], bytes]
INVALID = "INVALID-INVALID"
"""Text that becomes bytes that are not UTF-8."""

node = helper.make_node


def changed(change: Callable[[ModelProto], object]) -> Change:
    def apply(data: bytes) -> bytes:
        model = onnx.load_from_string(data)
        change(model)
        return model.SerializeToString().replace(INVALID.encode(), b"\xff" * len(INVALID))

    return apply


def integers(name: str, values: Sequence[int] | int) -> TensorProto:
    shape = [] if isinstance(values, int) else [len(values)]
    return helper.make_tensor(
        name, TensorProto.INT64, shape, [values] if isinstance(values, int) else values
    )


def after(*nodes: NodeProto, weights: Sequence[TensorProto] = ()) -> Change:
    """Computes the output ``image`` by ``nodes`` from what it was, ``before``."""

    def change(model: ModelProto) -> None:
        for old in model.graph.node:
            old.output[:] = ["before" if name == "image" else name for name in old.output]
        model.graph.node.extend(nodes)
        model.graph.initializer.extend(weights)

    return changed(change)


def spending(*nodes: NodeProto, weights: Sequence[TensorProto] = ()) -> Change:
    """Adds the maximum of the value ``big``, which ``nodes`` compute, to the output."""
    largest = node("ReduceMax", ["big"], ["largest"], keepdims=0)
    floats = node("Cast", ["largest"], ["float"], to=TensorProto.FLOAT)
    return after(
        *nodes, largest, floats, node("Add", ["before", "float"], ["image"]), weights=weights
    )


def branch(*weights: TensorProto) -> GraphProto:
    output = helper.make_tensor_value_info("image", TensorProto.FLOAT, None)
    return helper.make_graph([node("Identity", ["before"], ["image"])], "b", [], [output], weights)


def loop() -> Change:
    """A loop of 2^62 rounds."""
    body = helper.make_graph(
        [node("Identity", ["more"], ["again"]), node("Identity", ["value"], ["next"])],
        "body",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("more", TensorProto.BOOL, []),
            helper.make_tensor_value_info("value", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("again", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, None),
        ],
    )
    true = helper.make_tensor("true", TensorProto.BOOL, [], [True])
    step = node("Loop", ["rounds", "true", "before"], ["image"], body=body)
    return after(step, weights=[integers("rounds", 2**62), true])


def condition(*weights: TensorProto) -> Change:
    step = node("If", ["c"], ["image"], then_branch=branch(*weights), else_branch=branch())
    return after(step, weights=[helper.make_tensor("c", TensorProto.BOOL, [], [True])])


def function(*nodes: NodeProto) -> Change:
    inner = [*nodes, node("Identity", ["a"], ["b"])]
    imports = [helper.make_opsetid("", 20)]

    def change(data: bytes) -> bytes:
        model = onnx.load_from_string(after(node("F", ["before"], ["image"], domain="f"))(data))
        model.opset_import.append(helper.make_opsetid("f", 1))
        model.functions.append(helper.make_function("f", "F", ["a"], ["b"], inner, imports))
        return model.SerializeToString()

    return change


def external(location: str) -> TensorProto:
    tensor = TensorProto(name="outside", data_type=1, dims=[4])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return tensor


def constant(tensor: TensorProto) -> NodeProto:
    return node("Constant", [], ["c"], value=tensor)


def sparse(values: TensorProto) -> onnx.SparseTensorProto:
    return helper.make_sparse_tensor(values, integers("indices", [0]), [2**33])


def weight(dims: Sequence[int], **fields: Any) -> TensorProto:
    """A tensor of four bytes that states another shape."""
    return TensorProto(name="big", data_type=1, dims=dims, raw_data=b"0000", **fields)


def properties(**values: str) -> Change:
    def change(model: ModelProto) -> None:
        stored = {entry.key: entry.value for entry in model.metadata_props} | values
        helper.set_model_props(model, stored)

    return changed(change)


def features(shape: Sequence[int | str], kind: int = TensorProto.FLOAT) -> bytes:
    """A network whose features are twice its pixels."""
    floats = node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT)
    graph = helper.make_graph(
        [floats, node("Add", ["floats", "floats"], ["image"])],
        "features",
        [helper.make_tensor_value_info("pixels", kind, shape)],
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
    )
    imports = [helper.make_opsetid("", 20)]
    return helper.make_model(graph, opset_imports=imports, ir_version=10).SerializeToString()


def of_shape(*shape: int | str, kind: int = TensorProto.FLOAT) -> Change:
    return lambda _: features(shape, kind)


def _dynamic() -> Change:
    """A size that is known at run time alone: the value of a weight times the batch size."""
    return spending(
        node("Shape", ["before"], ["shape"]),
        node("Mul", ["shape", "factor"], ["sizes"]),
        node("ConstantOfShape", ["sizes"], ["big"]),
        weights=[integers("factor", [2**10, 2**10, 2**5, 1])],
    )


def _negative() -> Change:
    """A size from a division that libraries round differently."""
    return spending(
        node("Div", ["minus", "two"], ["quotient"]),
        node("Add", ["quotient", "one"], ["some"]),
        node("Mul", ["some", "many"], ["sizes"]),
        node("ConstantOfShape", ["sizes"], ["big"]),
        weights=[
            *(integers("minus", [-1]), integers("two", [2])),
            *(integers("one", [1]), integers("many", [2**32])),
        ],
    )


def _columns() -> Change:
    """A transposed convolution with a small output, computed from gigabytes of columns."""
    return spending(
        node("ConstantOfShape", ["sizes"], ["image_of_one"]),
        node("ConvTranspose", ["image_of_one", "kernel"], ["big"], pads=[600] * 4),
        weights=[
            integers("sizes", [1, 1, 512, 512]),
            helper.make_tensor("kernel", TensorProto.FLOAT, [1, 1, 700, 700], [0.0] * 490_000),
        ],
    )


def _computing(sizes: Sequence[int], *nodes: NodeProto) -> Change:
    """Computes ``big`` from ``m``, of these sizes, whose values depend on the inputs."""
    return spending(
        node("ConstantOfShape", ["sizes"], ["zeros"]),
        node("ReduceMax", ["before"], ["one"], keepdims=0),
        node("Add", ["zeros", "one"], ["m"]),
        *nodes,
        weights=[integers("sizes", sizes), integers("kernel", [16, 16, 256, 256])],
    )


def _chain(operator: str, count: int) -> list[NodeProto]:
    names = ["m", *(f"m{i}" for i in range(count - 1)), "big"]
    return [node(operator, [a, "m"], [b]) for a, b in itertools.pairwise(names)]


WORK: dict[str, Change] = {
    "products": _computing([2**12, 2**12], *_chain("MatMul", 1000)),
    "sums": _computing([2**24], *_chain("Add", 8000)),
    "convolution": _computing(
        [1, 16, 1024, 1024],
        node("ConstantOfShape", ["kernel"], ["weight"]),
        node("Conv", ["m", "weight"], ["big"]),
    ),
    "pooling": _computing(
        [1, 1, 2**12, 2**12], node("MaxPool", ["m"], ["big"], kernel_shape=[2**10, 2**10])
    ),
    "einsum": _computing([2**12, 2**12], node("Einsum", ["m", "m"], ["big"], equation="ij,kl->")),
}
"""Graphs of a few kilobytes that compute for hours."""

MEMORY: dict[str, Change] = {
    "constant": spending(
        node("ConstantOfShape", ["sizes"], ["big"]), weights=[integers("sizes", [2**32])]
    ),
    "constants": spending(
        *(node("ConstantOfShape", ["sizes"], [f"big{i or ''}"]) for i in range(40)),
        weights=[integers("sizes", [2**24])],
    ),
    "expand": spending(
        node("Expand", ["before", "sizes"], ["big"]),
        weights=[integers("sizes", [2**31, 1, 1, 1, 1])],
    ),
    "tile": spending(
        node("Tile", ["before", "sizes"], ["big"]), weights=[integers("sizes", [2**31, 1, 1, 1])]
    ),
    "range": spending(
        node("Range", ["from", "to", "by"], ["big"]),
        weights=[integers("from", 0), integers("to", 2**32), integers("by", 1)],
    ),
    "pad": spending(
        node("Pad", ["before", "sizes"], ["big"]),
        weights=[integers("sizes", [0] * 6 + [2**20, 2**20])],
    ),
    "resize": spending(
        node("Resize", ["before", "", "", "sizes"], ["big"]),
        weights=[integers("sizes", [1, 1, 2**17, 2**17])],
    ),
    "one-hot": spending(
        node("Cast", ["before"], ["indices"], to=TensorProto.INT64),
        node("OneHot", ["indices", "depth", "pair"], ["big"]),
        weights=[integers("depth", 2**32), integers("pair", [0, 1])],
    ),
    "shape of a large value": spending(
        node("ConstantOfShape", ["sizes"], ["large"]),
        node("Shape", ["large"], ["big"]),
        weights=[integers("sizes", [2**40, 2**40])],
    ),
    "dynamic": _dynamic(),
    "negative": _negative(),
    "columns": _columns(),
    "dimensions": spending(weights=[weight([2**32])]),
    "product": spending(weights=[weight([2**32, 2**32])]),
    "rank of 65,536": spending(weights=[weight([2**40] * 2**16)]),
    "sparse": changed(
        lambda model: model.graph.sparse_initializer.append(
            sparse(helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0]))
        )
    ),
    "sparse constant": spending(
        node(
            "Constant",
            [],
            ["big"],
            sparse_value=sparse(helper.make_tensor("", TensorProto.FLOAT, [1], [1.0])),
        )
    ),
    "loop": loop(),
    "condition": condition(),
    "function": function(),
    "a group": lambda data: data + b"\xa3\x06\xa4\x06" + onnx_bytes.field(7, b"\x0a\x00" * 2**24),
    "nodes": after(
        *(node("Identity", [f"v{i}" if i else "before"], [f"v{i + 1}"]) for i in range(2**15)),
        node("Identity", [f"v{2**15}"], ["image"]),
    ),
}
"""Graphs that need too much memory or time."""

MANY: dict[str, Change] = {
    "empty nodes": lambda data: data + onnx_bytes.field(7, b"\x0a\x00" * 2**24),
    "empty attributes": lambda data: (
        data + onnx_bytes.field(7, onnx_bytes.field(1, b"\x2a\x00" * 2**24))
    ),
}
"""Files of which each two bytes take two hundred when they are parsed."""

INVALID_GRAPHS: dict[str, Change] = {
    "larger": after(node("Concat", ["before", "before"], ["image"], axis=2)),
    "rows": after(node("Concat", ["before", "before"], ["image"], axis=0)),
    "rank": after(
        node("Unsqueeze", ["before", "axes"], ["image"]), weights=[integers("axes", [0])]
    ),
    "scalar": after(node("ReduceMax", ["before"], ["image"], keepdims=0)),
    "int32": after(node("Cast", ["before"], ["image"], to=TensorProto.INT32)),
    "text": after(node("Cast", ["before"], ["image"], to=TensorProto.STRING)),
    "sequence": after(node("SplitToSequence", ["before"], ["image"], axis=0)),
    "split": after(node("Split", ["before"], ["image", "rest"], axis=7, num_outputs=2)),
    "split of none": after(node("Split", ["before"], ["image", "rest"], axis=1, num_outputs=0)),
    "split of many": after(node("Split", ["before"], ["image", "rest"], axis=1, num_outputs=2**31)),
    "split below 0": after(
        node("Split", ["before", "sizes"], ["image", "rest"], axis=2),
        weights=[integers("sizes", [-1, 9])],
    ),
    "stride": after(node("MaxPool", ["before"], ["image"], kernel_shape=[1, 1], strides=[0, 0])),
    "no attribute": after(node("LRN", ["before"], ["image"])),
    "no such operator": after(node("Evil", ["before"], ["image"])),
    "other domain": after(node("Gelu", ["before"], ["image"], domain="com.microsoft")),
    "from nothing": after(node("Identity", ["nothing"], ["image"])),
    "cycle": after(
        node("Identity", ["b"], ["a"]),
        node("Identity", ["a"], ["b"]),
        node("Identity", ["b"], ["image"]),
    ),
    "twice": after(node("Identity", ["before"], ["image"]), node("Neg", ["before"], ["image"])),
    "output not computed": after(),
    "no output": changed(lambda model: model.graph.ClearField("output")),
    "no shape": after(node("GroupNormalization", [], ["image"], num_groups=1)),
    "nothing": after(node("Conv", ["before", "before"], [""]), node("Neg", ["before"], ["image"])),
    "two weights": after(
        node("Neg", ["before"], ["image"]), weights=[integers("w", [1]), integers("w", [2])]
    ),
    "another input": changed(
        lambda model: model.graph.input.append(
            helper.make_tensor_value_info("more", TensorProto.FLOAT, ["batch", 3])
        )
    ),
    "sequence input": changed(
        lambda model: model.graph.input.append(
            helper.make_tensor_sequence_value_info("more", TensorProto.FLOAT, [3])
        )
    ),
    "name": after(node("Identity", ["before"], ["image"], name=INVALID)),
    "operator": after(node(INVALID, ["before"], ["image"])),
    "empty": lambda data: b"",
    "zeros": lambda data: bytes(1000),
    "cut": lambda data: data[: len(data) // 2],
    "not a graph": lambda data: b"no graph",
}
"""Graphs that are damaged, or not what they say."""

OUTSIDE: dict[str, Change] = {
    "weight": after(weights=[external("w.bin")]),
    "weight above": after(weights=[external("../../w.bin")]),
    "absolute weight": after(weights=[external("/etc/passwd")]),
    "attribute": after(constant(external("w.bin")), node("Identity", ["before"], ["image"])),
    "in a branch": condition(external("w.bin")),
    "in a function": function(constant(external("w.bin"))),
    "sparse weight": changed(
        lambda model: model.graph.sparse_initializer.append(sparse(external("w.bin")))
    ),
    "sparse attribute": after(
        node("Constant", [], ["c"], sparse_value=sparse(external("w.bin"))),
        node("Identity", ["before"], ["image"]),
    ),
    "without a word": after(
        weights=[TensorProto(name="o", data_type=1, dims=[1], data_location=TensorProto.EXTERNAL)]
    ),
}
"""Graphs that keep weights in another file."""

METADATA: dict[str, Change] = {
    "not UTF-8": properties(title=INVALID),
    "a key not UTF-8": properties(**{INVALID: "x"}),
    "text for a number": properties(latent_size="many"),
    "a huge number": properties(latent_size="9" * 5000),
    "a huge temperature": properties(temperature="1" + "0" * 400),
    "infinity": properties(temperature="Infinity"),
    "a number for names": properties(class_names="7"),
    "half of a character": properties(class_names='["\\ud800"]', classes="1"),
    "a million names": properties(class_names=json.dumps([0] * 2**20), classes=str(2**20)),
    "lists in lists": properties(class_names="[" * 10**5),
    "a million lists": properties(image_shape=json.dumps([[]] * 2**20)),
    "a long title": properties(title="x" * 5000),
    "large": properties(title="x" * 2**20),
    "large in all": properties(**{f"own{i}": "x" * 2**20 for i in range(17)}),
    "a list of errors": properties(parity_max_abs_error="[1]"),
    "many errors": properties(parity_max_abs_error=json.dumps(dict.fromkeys(range(4000)))),
    "another size": properties(latent_size="4096"),
    "another image": properties(image_shape="[1, 8, 16]"),
    "below 0": properties(image_shape="[-1, 8, 8]"),
    "another distribution": properties(latent_distribution="[]"),
}
"""Samplers whose metadata are not those of genzoo."""

INPUTS: dict[str, Change] = {
    "a large image": of_shape("n", 1, 2**20, 2**20),
    "many features": of_shape("n", 1, 80, 80),
    "a large batch": of_shape(2**31, 1, 8, 8),
    "a batch of none": of_shape(0, 1, 8, 8),
    "a row": of_shape("n", 64),
    "four channels": of_shape("n", 4, 8, 8),
    "any channels": of_shape("n", "c", 8, 8),
    "text": of_shape("n", 1, 8, 8, kind=TensorProto.STRING),
    "int64": of_shape("n", 1, 8, 8, kind=TensorProto.INT64),
    "no input": changed(lambda model: model.graph.ClearField("input")),
}
"""Feature networks that do not take images."""
