"""Spectral normalization: the estimate against the singular value decomposition, and its
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
from zoo.gan import GANConfig
from zoo.gan.objective import GANObjective
from zoo.gan.spectral import SpectralNorm, iterate_power, spectral_norm

LAYERS = {
    "dense": (lambda: nn.Linear(40, 12), 0),
    "one score": (lambda: nn.Linear(40, 1), 0),
    "convolution": (lambda: nn.Conv2d(5, 9, 3), 0),
    "transposed": (lambda: nn.ConvTranspose2d(5, 9, 4), 1),
}


def largest(weight: Tensor, axis: int) -> float:
    """The largest singular value of a weight, as a matrix with one row per output."""
    matrix = weight.detach().double().movedim(axis, 0).flatten(1)
    return torch.linalg.svdvals(matrix)[0].item()


@pytest.fixture(params=LAYERS)
def normalized(request: pytest.FixtureRequest) -> tuple[nn.Module, int, Tensor]:
    """A layer with spectral normalization, its output axis, and its original weight."""
    torch.manual_seed(3)
    make, axis = LAYERS[request.param]
    layer = make()
    before = layer.weight.detach().clone()
    spectral_norm(layer)
    return layer, axis, before


def test_the_estimate_converges_to_the_largest_singular_value(normalized) -> None:
    layer, axis, before = normalized
    sigma = largest(before, axis)
    norm: SpectralNorm = layer.parametrizations.weight[0]
    errors = []
    for _ in range(150):
        errors.append(abs(norm.sigma(before).item() / sigma - 1))
        iterate_power(layer)
    assert errors[-1] < 1e-5
    assert errors[0] < 0.05
    assert largest(layer.weight, axis) == pytest.approx(1, abs=1e-4)
    assert torch.allclose(layer.weight.detach() * sigma, before, atol=1e-4)


def test_iterations_track_a_changing_weight(normalized) -> None:
    layer, axis, _ = normalized
    for _ in range(200):
        with torch.no_grad():
            layer.parametrizations.weight.original.add_(0.003)
        iterate_power(layer)
    assert largest(layer.weight, axis) == pytest.approx(1, abs=1e-3)


def test_a_forward_pass_changes_no_state(normalized) -> None:
    layer, _, _ = normalized
    layer.train()
    before = {name: tensor.clone() for name, tensor in layer.state_dict().items()}
    assert torch.equal(layer.weight, layer.weight)
    assert all(torch.equal(tensor, before[name]) for name, tensor in layer.state_dict().items())


def test_the_memory_format_of_a_weight_does_not_matter() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(8, 16, 3)
    spectral_norm(layer)
    before = layer.weight.detach().clone()
    layer.to(memory_format=torch.channels_last)
    assert layer.weight.is_contiguous(memory_format=torch.channels_last)
    iterate_power(layer)
    assert torch.allclose(layer.weight, before, atol=1e-2)
    assert largest(layer.weight, 0) == pytest.approx(1, abs=2e-2)


def test_first_and_second_gradients_treat_the_vectors_as_constants() -> None:
    """At the singular vectors the gradient of sigma is u v' (paper, eq. 10)."""
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


def test_the_scale_of_a_weight_has_no_effect_and_no_gradient() -> None:
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


def test_weights_are_normalized_in_float32_under_autocast(normalized) -> None:
    layer, _, _ = normalized
    plain = layer.weight
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer.weight, plain)


@torch.no_grad()
def test_layers_are_lipschitz_and_reach_the_bound() -> None:
    """A dense layer is 1-Lipschitz, and so is a convolution from the pixels under its kernel to one
    output position, the map that the paper bounds."""
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
    patches = unfold(a - b, 3).norm(dim=1)
    assert ((convolution(a) - convolution(b)).flatten(2).norm(dim=1) <= patches + 1e-5).all()
    patch = convolution.parametrizations.weight[0].v.view(1, 3, 3, 3)
    gain = (convolution(patch) - convolution(0 * patch)).norm().item()
    assert gain == pytest.approx(1, abs=1e-4)


def test_freezing_leaves_plain_weights_and_equal_outputs(normalized) -> None:
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
    """A generator of constant images, with the constant as its only parameter."""

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


def test_a_training_step_iterates_once_after_each_update(monkeypatch) -> None:
    """Regardless of the number of forward passes: real, generated, and between for the penalty."""
    torch.manual_seed(0)
    critic, order = Score(), []
    config = GANConfig(critic_steps=2, gradient_penalty=1.0)
    objective = GANObjective(Shift(), critic, config, TrainingConfig(learning_rate=0.1))
    iterate = SpectralNorm.iterate

    def recorded(norm: SpectralNorm, weight: Tensor) -> None:
        order.append("iterate")
        iterate(norm, weight)

    def update(name: str, loss: Tensor) -> None:
        order.append(name)
        objective.optimizers[name].zero_grad()
        loss.backward()
        objective.optimizers[name].step()

    monkeypatch.setattr(SpectralNorm, "iterate", recorded)
    batches = [Batch(torch.full((3, 1, 2, 2), 200 + i).byte(), None, 8) for i in range(2)]
    objective.step(batches, update)
    assert order == ["critic", "iterate", "iterate"] * 2 + ["generator"]
