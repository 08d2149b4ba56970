"""Simplification of an ONNX graph: constants folded, redundant nodes removed."""

from __future__ import annotations

import re

import onnx_ir as ir
from onnx_ir.passes import common
from onnxscript import optimizer, rewriter
from onnxscript.rewriter.rules import common as rules

MAX_FOLDED_BYTES = 2**26
"""Maximum size of a constant that is folded."""

RULES = (
    *("materialize_reshape_shape", "reshape_reshape", "squeeze_reshape_1d", "unsqueeze_unsqueeze"),
    *("collapse_slice", "collapse_slice2", "min_max", "max_min", "min_min", "max_max"),
    *("add_0", "sub_0", "mul_by_1", "div_by_1", "cast_cast", "no_op_cast", "no_op_expand"),
    *("no_op_transpose", "transpose_transpose", "fuse_pad_into_conv"),
)
"""The rewrite rules of onnxscript that are applied."""


def simplify(model: ir.Model) -> None:
    """Folds constants and applies :data:`RULES`; :func:`clean_up` comes last.

    Like onnxscript's optimizer, without its rule that compares all pairs of nodes: on a network of
    some thousand nodes that rule takes longer than everything else.
    """
    for _ in range(2):
        _fold(model)
        rewriter.rewrite(model, [getattr(rules, f"{name}_rule") for name in RULES])
    common.InlinePass()(model)  # functions, which are simple by now
    _fold(model)
    _share_batch_size(model)


def clean_up(model: ir.Model) -> None:
    """Removes unused and duplicate values, and the metadata that say where a node came from."""
    for step in (
        common.IdentityEliminationPass(),
        common.RemoveUnusedNodesPass(),
        common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        common.DeduplicateInitializersPass(),
        common.CommonSubexpressionEliminationPass(),
        common.OutputFixPass(),
        common.NameFixPass(),
        common.ClearMetadataAndDocStringPass(),
    ):
        step(model)


def _share_batch_size(model: ir.Model) -> None:
    """Takes the batch size from an input everywhere: each layer took it from its own input."""
    first = next(value for value in model.graph.inputs if value.shape)
    batch_size = ir.node("Shape", [first], {"start": 0, "end": 1})
    nodes = [node for node in model.graph if _takes_batch_size(node)]
    if nodes:
        model.graph.insert_before(model.graph[0], batch_size)
    for node in nodes:
        node.outputs[0].replace_all_uses_with(batch_size.outputs[0])


def _takes_batch_size(node: ir.Node) -> bool:
    ends = [node.attributes[name].as_int() for name in ("start", "end") if name in node.attributes]
    if node.op_type != "Shape" or ends != [0, 1]:
        return False
    return node.inputs[0] is not None and has_batch(node.inputs[0])


def has_batch(value: ir.Value) -> bool:
    """Whether the first dimension of ``value`` is the batch, not a multiple of it."""
    # Torch names the size of an input by the letter s and a number; anything else is an expression.
    return bool(value.shape) and re.fullmatch(r"batch\w*|s\d+", str(value.shape[0])) is not None  # type: ignore[index]


def _fold(model: ir.Model) -> None:
    optimizer.fold_constants(
        model,
        onnx_shape_inference=True,
        input_size_limit=MAX_FOLDED_BYTES,
        output_size_limit=MAX_FOLDED_BYTES,
    )
