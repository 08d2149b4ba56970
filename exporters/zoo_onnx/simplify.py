"""An ONNX graph with what it needs and no more."""

from __future__ import annotations

import re

import onnx_ir as ir
from onnx_ir.passes import common
from onnxscript import optimizer, rewriter
from onnxscript.rewriter.rules import common as rules

FOLDED = 2**26
"""Bytes up to which what depends on no input is computed beforehand."""

RULES = (
    *("materialize_reshape_shape", "reshape_reshape", "squeeze_reshape_1d", "unsqueeze_unsqueeze"),
    *("collapse_slice", "collapse_slice2", "min_max", "max_min", "min_min", "max_max"),
    *("add_0", "sub_0", "mul_by_1", "div_by_1", "cast_cast", "no_op_cast", "no_op_expand"),
    *("no_op_transpose", "transpose_transpose", "fuse_pad_into_conv"),
)
"""Which of onnxscript's rules simplify a graph."""


def simplify(model: ir.Model) -> None:
    """Compute beforehand what depends on no input, by fewer nodes. :func:`tidy` comes last.

    As the optimizer of onnxscript, without its rule that looks at all pairs of nodes: of a network
    of some thousand it takes longer than all the rest.
    """
    for _ in range(2):
        _fold(model)
        rewriter.rewrite(model, [getattr(rules, f"{name}_rule") for name in RULES])
    common.InlinePass()(model)  # of functions that are simple by then
    _fold(model)
    _ask_once_for_the_batch(model)


def tidy(model: ir.Model) -> None:
    """Leave out what nothing needs and what is there twice, and where each node came from."""
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


def _ask_once_for_the_batch(model: ir.Model) -> None:
    """Take the batch size from an input wherever it is taken: each part asked what it was given."""
    first = next(value for value in model.graph.inputs if value.shape)
    asked = ir.node("Shape", [first], {"start": 0, "end": 1})
    asking = [node for node in model.graph if _asks_for_the_batch(node)]
    if asking:
        model.graph.insert_before(model.graph[0], asked)
    for node in asking:
        node.outputs[0].replace_all_uses_with(asked.outputs[0])


def _asks_for_the_batch(node: ir.Node) -> bool:
    asked = [node.attributes[name].as_int() for name in ("start", "end") if name in node.attributes]
    if node.op_type != "Shape" or asked != [0, 1]:
        return False
    return node.inputs[0] is not None and has_batch(node.inputs[0])


def has_batch(value: ir.Value) -> bool:
    """Whether the first dimension of ``value`` is the batch, and no multiple of it."""
    # What is no expression, but a size of an input: torch gives it the letter s and a number.
    return bool(value.shape) and re.fullmatch(r"batch\w*|s\d+", str(value.shape[0])) is not None  # type: ignore[index]


def _fold(model: ir.Model) -> None:
    optimizer.fold_constants(
        model, onnx_shape_inference=True, input_size_limit=FOLDED, output_size_limit=FOLDED
    )
