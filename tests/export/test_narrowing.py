"""Convolutions from many channels to few, as transposed ones: the same numbers."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from torch import nn

from zoo.specs import Graph

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from zoo_onnx.convert import to_onnx  # noqa: E402


def converted(size: int, inputs: int, outputs: int, **options: Any) -> tuple[Counter[str], float]:
    """The operators of a convolution's graph, and its difference from torch's."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(inputs, outputs, **{"kernel_size": 3, "padding": 1} | options))
    x = torch.randn(2, inputs, size, size)
    model = to_onnx(
        Graph(name="narrow", module=module.eval(), inputs={"input": x}, outputs=("y",)), 20
    )
    session = onnxruntime.InferenceSession(model.SerializeToString())
    with torch.no_grad():
        difference = torch.from_numpy(session.run(None, {"input": x.numpy()})[0]) - module(x)
    return Counter(node.op_type for node in model.graph.node), float(difference.abs().max())


@pytest.mark.parametrize("bias", [True, False])
def test_a_narrowing_convolution_becomes_transposed(bias: bool) -> None:
    operators, difference = converted(9, 24, 3, bias=bias)
    assert operators == {"ConvTranspose": 1}
    assert difference < 1e-5


@pytest.mark.parametrize(
    "options",
    [
        {"size": 3, "inputs": 24, "outputs": 3},
        {"size": 9, "inputs": 16, "outputs": 3},
        {"size": 9, "inputs": 256, "outputs": 3},
        {"size": 9, "inputs": 24, "outputs": 3, "stride": 2},
        {"size": 9, "inputs": 24, "outputs": 3, "padding": 0},
        {"size": 9, "inputs": 24, "outputs": 3, "dilation": 2, "padding": 2},
        {"size": 9, "inputs": 48, "outputs": 3, "groups": 3},
        {"size": 9, "inputs": 24, "outputs": 3, "kernel_size": 5, "padding": 2},
    ],
)
def test_other_convolutions_stay(options: dict[str, Any]) -> None:
    operators, difference = converted(**options)
    assert operators == {"Conv": 1}
    assert difference < 1e-5
