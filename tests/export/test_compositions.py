"""Compositions: traced once per kind of layer, converted with the weights of each."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import nn

from zoo.export import graphs
from zoo.flows import ActNorm, ChannelCoupling, Composition, SigmoidScale, TanhScale, reverse
from zoo.freezing import freeze
from zoo.specs import Graph

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from zoo_onnx.compositions import Compositions  # noqa: E402
from zoo_onnx.convert import to_onnx  # noqa: E402

CHANNELS = 4
SCALES = {"tanh": TanhScale, "sigmoid": SigmoidScale}


def coupling(scale: str = "tanh") -> ChannelCoupling:
    network = nn.Conv2d(CHANNELS // 2, CHANNELS, 3, padding=1)
    return ChannelCoupling(network, SCALES[scale]())


class Both(nn.Module):
    """A composition forward and inverse: returns the input again, the output and its
    log-determinant, with the batch size taken inside a layer and outside."""

    def __init__(self, *scales: str) -> None:
        super().__init__()
        layers = []
        for scale in scales:
            norm = ActNorm(CHANNELS, "zero")
            nn.init.normal_(norm.statistics.bias)
            nn.init.normal_(norm.statistics.log_scale, std=0.1)
            layers += [norm, reverse(CHANNELS), coupling(scale)]
        self.steps = Composition(layers)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y, log_det = self.steps(x)
        return self.steps.inverse(y), y, log_det + x.new_zeros(x.shape[0])


def graph_of(*scales: str) -> tuple[Both, Graph]:
    torch.manual_seed(0)
    module = Both(*scales)
    inputs = {"x": torch.randn(graphs.TRACED, CHANNELS, 5, 5)}
    return module, Graph(
        name="both", module=freeze(module), inputs=inputs, outputs=("x_again", "y", "log_det")
    )


def test_each_layer_keeps_its_own_weights() -> None:
    module, graph = graph_of("tanh", "tanh", "sigmoid", "tanh")
    model = to_onnx(graph, 20)
    assert not model.functions
    assert {node.domain for node in model.graph.node} == {""}
    session = onnxruntime.InferenceSession(model.SerializeToString())
    x = torch.randn(7, CHANNELS, 5, 5)
    with torch.no_grad():
        expected = module.double()(x.double())
    for actual, exact in zip(session.run(None, {"x": x.numpy()}), expected, strict=True):
        assert torch.allclose(torch.from_numpy(actual).double(), exact, atol=1e-4)
    assert not torch.allclose(expected[1], x.double(), atol=0.1)
    names = {value.name for value in model.graph.initializer}
    assert {f"steps.layers.{i}.network.weight" for i in (1, 3, 5, 7)} <= names


def test_depth_adds_nothing_to_the_trace() -> None:
    kinds = []
    for depth in (2, 6):
        _, graph = graph_of(*["tanh"] * depth)
        compositions = Compositions(graph)
        _, program = compositions.trace()
        kinds.append(
            (len(compositions.parts), Counter(str(node.target) for node in program.graph.nodes))
        )
        assert {len(chain.links) for chain in compositions.chains.values()} == {2 * depth}
    assert kinds[0] == kinds[1]
    assert kinds[0][0] == 4  # a convolution and a coupling, each forward and inverse


def test_layers_that_differ_in_more_than_weights_are_of_different_kinds() -> None:
    _, graph = graph_of("tanh", "sigmoid", "tanh", "sigmoid")
    assert (
        len(Compositions(graph).parts) == 6
    )  # the convolution and two couplings, in two directions


def test_layers_that_do_not_repeat_are_traced_as_they_are() -> None:
    _, graph = graph_of("tanh")
    compositions = Compositions(graph)
    assert (compositions.parts, compositions.chains) == ({}, {})
    whole, _ = compositions.trace()
    assert whole.inputs.keys() == {"x"}


def test_the_module_is_left_unchanged() -> None:
    _, graph = graph_of("tanh", "tanh")
    before = [(name, id(module)) for name, module in graph.module.named_modules()]
    weights = list(graph.module.state_dict())
    expected = graphs.run(graph.module, graph, graph.inputs)
    Compositions(graph).trace()
    assert [(name, id(module)) for name, module in graph.module.named_modules()] == before
    assert list(graph.module.state_dict()) == weights
    after = graphs.run(graph.module, graph, graph.inputs)
    assert all(torch.equal(expected[name], after[name]) for name in expected)
