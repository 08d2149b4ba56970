"""Spectral normalisation: the estimate against the singular value decomposition, and its
gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import unfold
from torch.nn.utils import parametrize

from zoo import Latent
from zoo.config.sections import TrainingConfig
from zoo.data.batch import Batch
from zoo.freezing import freeze
from zoo.gan import AdversarialConfig
from zoo.gan.objective import Adversarial
from zoo.gan.spectral import (
    SpectralNorm,
    iterate_power,
    spectral_norm,
)

LAYERS = {
    "dense": (lambda: nn.Linear(40, 12), 0),
    "one score": (lambda: nn.Linear(40, 1), 0),
    "convolution": (lambda: nn.Conv2d(5, 9, 3), 0),
    "transposed": (lambda: nn.ConvTranspose2d(5, 9, 4), 1),
}


def largest(weight: Tensor, axis: int) -> float:
    """The largest singular value of a weight with a row for each output."""
    matrix = weight.detach().double().movedim(axis, 0).flatten(1)
    return torch.linalg.svdvals(matrix)[0].item()


@pytest.fixture(params=LAYERS)
def normalized(request: pytest.FixtureRequest) -> tuple[nn.Module, int, Tensor]:
    """A layer with spectral normalisation, its axis of outputs, and the weight it had before."""
    torch.manual_seed(3)
    make, axis = LAYERS[request.param]
    layer = make()
    before = layer.weight.detach().clone()
    spectral_norm(layer)
    return layer, axis, before


def test_the_estimate_converges_to_the_singular_value(normalized) -> None:
    layer, axis, before = normalized
    sigma = largest(before, axis)
    norm: SpectralNorm = layer.parametrizations.weight[0]
    errors = []
    for _ in range(150):
        errors.append(abs(norm.sigma(before).item() / sigma - 1))
        iterate_power(layer)
    assert errors[-1] < 1e-5
    assert errors[0] < 0.05, "the first weights are iterated on before the first step"
    assert largest(layer.weight, axis) == pytest.approx(1, abs=1e-4)
    assert torch.allclose(layer.weight.detach() * sigma, before, atol=1e-4)


def test_iterations_follow_a_weight_that_moves(normalized) -> None:
    layer, axis, _ = normalized
    for _ in range(200):
        with torch.no_grad():
            layer.parametrizations.weight.original.add_(0.003)
        iterate_power(layer)
    assert largest(layer.weight, axis) == pytest.approx(1, abs=1e-3)


def test_a_forward_moves_nothing(normalized) -> None:
    layer, _, _ = normalized
    layer.train()
    before = {name: tensor.clone() for name, tensor in layer.state_dict().items()}
    assert torch.equal(layer.weight, layer.weight)
    assert all(torch.equal(tensor, before[name]) for name, tensor in layer.state_dict().items())


def test_the_layout_of_a_weight_changes_nothing() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(8, 16, 3)
    spectral_norm(layer)
    before = layer.weight.detach().clone()
    layer.to(memory_format=torch.channels_last)
    assert layer.weight.is_contiguous(memory_format=torch.channels_last)
    iterate_power(layer)
    assert torch.allclose(layer.weight, before, atol=1e-2)
    assert largest(layer.weight, 0) == pytest.approx(1, abs=2e-2)


def test_gradients_are_those_of_a_fixed_pair_of_vectors_once_and_twice() -> None:
    """At the singular vectors themselves the gradient of sigma is u v' (paper, eq. 10)."""
    torch.manual_seed(0)
    weight = torch.randn(4, 2, 3, 3, dtype=torch.float64)
    norm = SpectralNorm(weight)
    for _ in range(300):
        norm.iterate(weight)
    weight.requires_grad_()
    (gradient,) = torch.autograd.grad(norm.sigma(weight), weight)
    u, _, v = torch.linalg.svd(weight.detach().flatten(1), full_matrices=False)
    assert torch.allclose(gradient.flatten(1), torch.outer(u[:, 0], v[0]), atol=1e-8)
    assert torch.autograd.gradcheck(norm, weight)
    assert torch.autograd.gradgradcheck(norm, weight)


def test_scaling_a_weight_changes_no_output_and_gets_no_gradient() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(6, 5)
    spectral_norm(layer)
    x, original = torch.randn(3, 6), layer.parametrizations.weight.original
    before = layer(x)
    before.square().sum().backward()
    assert (original.grad * original).sum().item() == pytest.approx(0, abs=1e-5)
    with torch.no_grad():
        original.mul_(7)
    assert torch.allclose(layer(x), before, atol=1e-5)


def test_under_autocast_weights_are_normalized_in_float32(normalized) -> None:
    layer, _, _ = normalized
    plain = layer.weight
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer.weight, plain)


@torch.no_grad()
def test_no_layer_stretches_what_it_sees() -> None:
    """A dense layer is 1-Lipschitz; so is a convolution from the pixels under its kernel to one
    place of its output, which is what the paper's matrix bounds. Both bounds are reached."""
    torch.manual_seed(0)
    dense, convolution = nn.Linear(30, 20), nn.Conv2d(3, 8, 3)
    for layer in (dense, convolution):
        spectral_norm(layer)
        for _ in range(300):
            iterate_power(layer)
    a, b = torch.randn(2, 500, 30)
    ratios = (dense(a) - dense(b)).norm(dim=1) / (a - b).norm(dim=1)
    assert ratios.max() <= 1 + 1e-5
    first = dense.parametrizations.weight[0].v
    assert (dense(first[None]) - dense(0 * first[None])).norm().item() == pytest.approx(1, abs=1e-4)
    a, b = torch.randn(2, 10, 3, 9, 9)
    under = unfold(a - b, 3).norm(dim=1)
    assert ((convolution(a) - convolution(b)).flatten(2).norm(dim=1) <= under + 1e-5).all()
    patch = convolution.parametrizations.weight[0].v.view(1, 3, 3, 3)
    moved = (convolution(patch) - convolution(0 * patch)).norm().item()
    assert moved == pytest.approx(1, abs=1e-4)


def test_frozen_it_leaves_plain_weights_and_the_same_outputs(normalized) -> None:
    layer, _, before = normalized
    x = torch.randn(2, *((40,) if before.ndim == 2 else (5, 6, 6)))
    (frozen,) = freeze(nn.Sequential(layer))
    assert torch.equal(frozen(x), layer(x))
    assert torch.equal(frozen.weight, layer.weight)
    assert isinstance(frozen.weight, nn.Parameter)
    assert {name for name, _ in frozen.named_parameters()} == {"weight", "bias"}
    assert not [name for name, _ in frozen.named_buffers()]
    assert not parametrize.is_parametrized(frozen)
    assert parametrize.is_parametrized(layer)


class Shift(nn.Module):
    """Pictures that are all one learned number."""

    latent = Latent(4, "normal")

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(()))

    def forward(self, z: Tensor) -> Tensor:
        return (0 * z + self.shift).reshape(-1, 1, 2, 2)


class Score(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
        spectral_norm(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).squeeze(1)


def test_a_step_of_the_game_iterates_once_after_each_update(monkeypatch) -> None:
    """However often the critic scores: real, drawn, and between them for the penalty."""
    torch.manual_seed(0)
    critic, order = Score(), []
    rules = AdversarialConfig(critic_steps=2, gradient_penalty=1.0)
    game = Adversarial(Shift(), critic, rules, TrainingConfig(learning_rate=0.1))
    iterate = SpectralNorm.iterate

    def counted(norm: SpectralNorm, weight: Tensor) -> None:
        order.append("iterate")
        iterate(norm, weight)

    def update(name: str, loss: Tensor) -> None:
        order.append(name)
        game.optimizers[name].zero_grad()
        loss.backward()
        game.optimizers[name].step()

    monkeypatch.setattr(SpectralNorm, "iterate", counted)
    batches = [Batch(torch.full((3, 1, 2, 2), 200 + i).byte(), None, 8) for i in range(2)]
    game.step(batches, update)
    assert order == ["critic", "iterate", "iterate"] * 2 + ["generator"]
