"""Reversible memory: the gradients from outputs alone equal those of standard backpropagation."""

import copy

import pytest
import torch
from flow_layers import LAYERS, small_network
from torch import Tensor, nn
from torch._dynamo.utils import counters

import zoo
from zoo.flows import (
    ActNorm,
    BatchNorm,
    Bijection,
    ChannelCoupling,
    CheckerboardCoupling,
    Composition,
    InvertibleLU1x1,
    TanhScale,
    initialize_from_data,
    shuffle,
)
from zoo.flows.coupling import Coupling
from zoo.flows.gradients import Gradients

TOLERANCE = 1e-10
"""Of gradients in float64."""


class Sinh(Bijection):
    """A layer that only has the two required methods: y = weight * sinh(x)."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(1.5))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        log_det = torch.log(self.weight.abs() * torch.cosh(x)).sum((1, 2, 3))
        return self.weight * torch.sinh(x), log_det

    def inverse(self, y: Tensor) -> Tensor:
        return torch.asinh(y / self.weight)


def normalized_network(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inputs, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.Tanh(),
        nn.BatchNorm2d(8, momentum=None),
        nn.Conv2d(8, outputs, 1),
    )


REVERSIBLE = {name: make for name, make in LAYERS.items() if name != "top prior"} | {
    "batch norm, by the batch": lambda: BatchNorm(4),
    "batch norm, by the running average": lambda: BatchNorm(4, momentum=0.7),
    "batch norm in a coupling": lambda: ChannelCoupling(normalized_network(2, 4), TanhScale()),
    "batch norm in a checkerboard": lambda: CheckerboardCoupling(normalized_network(4, 4), 4),
    "nested": lambda: Composition([BatchNorm(4), Composition([Sinh(), shuffle(4)], True)]),
    "other": Sinh,
}


@pytest.fixture(params=REVERSIBLE)
def layer(request: pytest.FixtureRequest) -> Bijection:
    """A layer with random parameters in float64, after a batch in training mode."""
    torch.manual_seed(0)
    layer = REVERSIBLE[request.param]().double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
        layer(2 * torch.rand(5, 4, 4, 4, dtype=torch.float64))
    return layer


def test_the_output_of_a_layer_gives_the_gradients_of_autograd(layer: Bijection) -> None:
    standard, x = copy.deepcopy(layer), torch.rand(3, 4, 4, 4, dtype=torch.float64)
    start = x.clone().requires_grad_()
    expected_y, expected_log_det = standard(start)
    grad_y, grad_log_det = torch.randn_like(expected_y), torch.randn_like(expected_log_det)
    parts = [(expected_y * grad_y).sum(), (expected_log_det * grad_log_det).sum()]
    sum(parts).backward()
    parameters = list(layer.parameters())
    gradients = Gradients(parameters)
    with torch.no_grad():
        y, log_det, kept = layer.forward_keeping(x)
        outputs = y.clone(), grad_y.clone(), grad_log_det.clone()
        back, grad_x = layer.backward_through(y, grad_y, grad_log_det, kept, gradients)
    close(y, expected_y.detach())
    close(log_det, expected_log_det.detach())
    assert all(map(torch.equal, outputs, (y, grad_y, grad_log_det))), "arguments were changed"
    close(back, x)
    close(grad_x, start.grad)
    for parameter, gradient in zip(standard.parameters(), gradients.take(), strict=True):
        close(gradient, parameter.grad)
    for name, buffer in standard.named_buffers():
        assert torch.equal(layer.get_buffer(name), buffer), f"{name} was updated twice"


def close(actual: Tensor | None, expected: Tensor | None) -> None:
    if actual is None or expected is None:
        zero = actual if expected is None else expected
        assert zero is None or not zero.any()
        return
    torch.testing.assert_close(actual, expected, rtol=0, atol=TOLERANCE)


def flow(model: str, memory: str, **config: object) -> nn.Module:
    """A flow in training mode, with random parameters and after a batch."""
    torch.manual_seed(0)
    network = zoo.build(model, memory=memory, **{"image_size": 8, "channels": 1, **config})
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    initialize_from_data(network, lambda: loss_of(network, images(network, 16)))
    return network.train()


def images(network: nn.Module, count: int) -> Tensor:
    shape = (count, network.image.channels, network.image.size, network.image.size)
    return torch.rand(shape, generator=torch.Generator().manual_seed(1))


def loss_of(network: nn.Module, x: Tensor) -> Tensor:
    classes = network.latent.classes
    labels = torch.arange(len(x)) % classes if classes else None
    loss: Tensor = -network(x, labels)[1].mean() / x[0].numel()
    return loss


def couplings_of(network: nn.Module) -> list[Coupling]:
    return [module for module in network.modules() if isinstance(module, Coupling)]


FLOWS = [
    ("nice", {"preset": "digits", "width": 16}),
    ("nice", {"preset": "paper", "width": 16}),
    ("nice", {"width": 8, "coupling": "affine", "permutation": "lu", "image_size": 5}),
    ("nice", {"width": 8, "split": "half", "permutation": "1x1", "scaling": "zero"}),
    ("nice", {"width": 8, "couplings": 64, "permutation": "shuffle", "prior": "normal"}),
    ("realnvp", {"preset": "digits", "width": 4}),
    ("realnvp", {"preset": "mnist", "width": 4, "image_size": 12}),
    ("realnvp", {"width": 4, "momentum": 0.9}),
    ("realnvp", {"width": 4, "coupling": "additive", "norm": "actnorm"}),
    ("realnvp", {"width": 4, "norm": "none", "checkerboard": False, "permutation": "shuffle"}),
    ("glow", {"preset": "digits", "width": 8}),
    ("glow", {"preset": "cifar10", "width": 4, "image_size": 16, "channels": 3}),
    ("glow", {"depth": 4, "width": 8, "coupling": "additive", "permutation": "1x1"}),
    ("glow", {"depth": 2, "width": 8, "permutation": "reverse", "actnorm": "zero"}),
    ("glow", {"depth": 2, "width": 8, "permutation": "shuffle", "conditional": True, "classes": 3}),
]


@pytest.mark.parametrize(("model", "config"), FLOWS, ids=str)
def test_every_flow_has_the_gradients_of_standard_memory(model: str, config) -> None:
    networks = {
        memory: flow(model, memory, **config).double() for memory in ("standard", "reversible")
    }
    losses = []
    for network in networks.values():
        losses.append(loss_of(network, images(network, 4).double()))
        losses[-1].backward()
    close(losses[1], losses[0])
    standard, reversible = networks.values()
    for name, parameter in standard.named_parameters():
        close(reversible.get_parameter(name).grad, parameter.grad)
    for name, buffer in standard.named_buffers():
        assert torch.equal(reversible.get_buffer(name), buffer), name


@pytest.mark.parametrize("model", ["nice", "realnvp", "glow"])
def test_networks_are_evaluated_once_in_each_direction(model: str) -> None:
    network, calls = flow(model, "reversible", width=4), []
    couplings = couplings_of(network)
    for coupling in couplings:
        coupling.network.register_forward_hook(lambda *_: calls.append(1))
    loss = loss_of(network, images(network, 4))
    assert len(calls) == len(couplings) > 3
    loss.backward()
    assert len(calls) == 2 * len(couplings)


def chain(depth: int, reversible: bool = True) -> Composition:
    torch.manual_seed(3)
    layers = [
        layer
        for _ in range(depth)
        for layer in (
            ActNorm(4, "zero"),
            InvertibleLU1x1(4),
            ChannelCoupling(small_network(2, 4), TanhScale()),
            BatchNorm(4),
        )
    ]
    return Composition(layers, reversible)


def gradients_of(layers: nn.Module, x: Tensor) -> list[Tensor]:
    y, log_det = layers(x)
    (y.square().sum() - log_det.sum()).backward()
    return [p.grad for p in layers.parameters()]


@pytest.mark.parametrize("autocast", [False, True])
def test_no_activations_are_stored(autocast: bool) -> None:
    """The tensors that autograd saves do not grow with the number of layers."""

    def saved_bytes(depth: int, reversible: bool) -> int:
        sizes: dict[int, int] = {}

        def save(tensor: Tensor) -> Tensor:
            sizes[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
            return tensor

        layers = chain(depth, reversible)
        with (
            torch.autograd.graph.saved_tensors_hooks(save, lambda t: t),
            torch.autocast("cpu", torch.bfloat16, enabled=autocast),
        ):
            layers(torch.randn(2, 4, 16, 16))
        return sum(sizes.values())

    assert saved_bytes(8, True) == saved_bytes(2, True)
    assert saved_bytes(8, False) > 3 * saved_bytes(2, False)


def test_gradients_lie_in_one_block_in_the_layout_of_their_parameters() -> None:
    layers = chain(2).to(memory_format=torch.channels_last)
    gradients_of(layers, torch.randn(2, 4, 4, 4))
    assert len({p.grad.untyped_storage().data_ptr() for p in layers.parameters()}) == 1
    assert all(p.grad.stride() == p.stride() for p in layers.parameters())


def test_a_layer_that_is_used_twice_gets_the_sum_of_both_gradients() -> None:
    gradients = []
    for reversible in (False, True):
        layers = chain(1, reversible).double()
        coupling = layers.layers[2]
        layers.layers.append(shuffle(4))
        layers.layers.append(coupling)
        gradients.append(gradients_of(layers, torch.ones(2, 4, 4, 4, dtype=torch.float64) / 3))
    for standard, reversible in zip(*gradients, strict=True):
        close(reversible, standard)


def test_parameters_that_are_not_trained_get_no_gradient() -> None:
    layers = chain(2)
    layers.layers[0].requires_grad_(False)
    layers.layers[2].network[0].weight.requires_grad_(False)
    gradients_of(layers, torch.randn(2, 4, 4, 4))
    assert all((p.grad is None) != p.requires_grad for p in layers.parameters())


def test_gradients_accumulate_and_second_derivatives_are_refused() -> None:
    layers, x = chain(2).double(), torch.randn(2, 4, 4, 4, dtype=torch.float64)
    y, log_det = layers(x)
    loss = y.square().sum() - log_det.sum()
    loss.backward(retain_graph=True)
    once = [p.grad.clone() for p in layers.parameters()]
    loss.backward()
    for parameter, gradient in zip(layers.parameters(), once, strict=True):
        close(parameter.grad, 2 * gradient)
    y, _ = layers(x)
    with pytest.raises(RuntimeError, match="no second derivatives"):
        torch.autograd.grad(y.sum(), layers.layers[0].statistics.bias, create_graph=True)


def test_backward_within_autocast_gives_the_gradients_of_backward_after_it() -> None:
    """The cache of autocast has weights without gradients after the forward pass."""
    gradients = []
    for within in (False, True):
        layers, x = chain(2), torch.ones(2, 4, 4, 4) / 3
        with torch.autocast("cpu", torch.bfloat16):
            y, log_det = layers(x)
            loss = y.square().sum() - log_det.sum()
            if within:
                loss.backward()
        if not within:
            loss.backward()
        gradients.append([p.grad for p in layers.parameters()])
    for after, inside in zip(*gradients, strict=True):
        assert after.any()
        assert torch.equal(after, inside)


@pytest.mark.parametrize("model", ["nice", "realnvp", "glow"])
def test_compiled_networks_of_couplings_give_the_same_gradients(model: str) -> None:
    """Each is one graph, and one more for the backward pass, which couplings of a size share."""
    counters.clear()
    gradients = []
    for memory in ("standard", "reversible"):
        network = flow(model, memory, width=4).double()
        if memory == "reversible":
            for coupling in couplings_of(network)[:2]:
                coupling.network.compile(backend="aot_eager", dynamic=False)
        loss_of(network, images(network, 4).double()).backward()
        gradients.append([p.grad for p in network.parameters()])
    for standard, reversible in zip(*gradients, strict=True):
        close(reversible, standard)
    assert counters["stats"]["unique_graphs"] == 2
    assert not counters["graph_break"]
