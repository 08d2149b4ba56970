"""The layers of RealNVP: batch normalization, logit, checkerboards, weight normalization."""

import math

import pytest
import torch
from torch import nn

from zoo.flows import (
    BatchNorm,
    ChannelCoupling,
    CheckerboardCoupling,
    LearnedTanhScale,
    Logit,
    WeightNormConv2d,
    checkerboard,
)

SIZE = 4


def small_network(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, 8, 3, padding=1), nn.Tanh(), nn.Conv2d(8, outputs, 1))


# Batch normalization


def batch_of(n: int = 16) -> torch.Tensor:
    torch.manual_seed(0)
    std = torch.tensor([0.5, 2.0, 3.0], dtype=torch.float64)[:, None, None]
    return std * torch.randn(n, 3, SIZE, SIZE, dtype=torch.float64) + 1


def test_training_normalizes_by_the_batch_and_counts_the_rescaling() -> None:
    layer, x = BatchNorm(3).double(), batch_of()
    y, log_det = layer(x)
    variance = x.var((0, 2, 3), correction=0)
    assert torch.allclose(y.mean((0, 2, 3)), torch.zeros(3, dtype=torch.float64), atol=1e-9)
    assert torch.allclose(y.var((0, 2, 3), correction=0), variance / (variance + 1e-4))
    exact = -0.5 * SIZE**2 * (variance + 1e-4).log().sum()
    assert torch.allclose(log_det, exact.expand(16))


def test_the_log_determinant_treats_statistics_as_constants_and_gradients_do_not() -> None:
    """As in the paper, the log-determinant is that of one image with mean and variance constant;
    gradients of the loss include the dependence of both on all images."""
    layer, x = BatchNorm(3).double(), batch_of(4).requires_grad_()
    _, log_det = layer(x)
    mean, variance = (v.detach() for v in (x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)))

    def normalize(v: torch.Tensor) -> torch.Tensor:
        return (v - mean[:, None, None]) / (variance + 1e-4).sqrt()[:, None, None]

    jacobian = torch.autograd.functional.jacobian(normalize, x[:1].detach()).reshape(48, 48)
    assert abs(torch.linalg.slogdet(jacobian)[1] - log_det[0]) < 1e-8
    (gradient,) = torch.autograd.grad(log_det[0], x)
    centered = (x - x.mean((0, 2, 3), keepdim=True)).detach()
    exact = -(SIZE**2) * centered / (variance + 1e-4)[:, None, None] / (4 * SIZE**2)
    assert torch.allclose(gradient, exact)


def test_running_statistics_start_at_the_first_batch_and_later_ones_weigh_a_tenth() -> None:
    layer, x = BatchNorm(3).double(), batch_of()
    layer(x)
    assert torch.allclose(layer.mean, x.mean((0, 2, 3)))
    assert torch.allclose(layer.variance, x.var((0, 2, 3), correction=0))
    for _ in range(20):
        layer(x)
    layer(x + 10)
    assert torch.allclose(layer.mean, x.mean((0, 2, 3)) + 1)
    layer.eval()
    y, log_det = layer(x)
    mean, variance = layer.mean.clone(), layer.variance.clone()
    assert torch.allclose(layer.inverse(y), x)
    assert torch.allclose(log_det[0], -0.5 * SIZE**2 * (variance + 1e-4).log().sum())
    assert torch.equal(layer.mean, mean)


def test_with_momentum_training_normalizes_by_the_running_average() -> None:
    """Paper, appendix E: rho * previous + (1 - rho) * batch; gradients through the batch's part."""
    layer, x = BatchNorm(3, momentum=0.75).double(), batch_of()
    for _ in range(4):
        layer(x)
    mean, variance = layer.mean.clone(), layer.variance.clone()
    later = (2 * x + 8).requires_grad_()
    y, log_det = layer(later)
    assert torch.allclose(layer.mean, 0.75 * mean + 0.25 * later.mean((0, 2, 3)))
    expected = 0.75 * variance + 0.25 * later.var((0, 2, 3), correction=0)
    assert torch.allclose(layer.variance, expected)
    normalized = (later - layer.mean[:, None, None]) / (expected + 1e-4).sqrt()[:, None, None]
    assert torch.allclose(y, normalized)
    (gradient,) = torch.autograd.grad(log_det[0], later)
    centered = (later - later.mean((0, 2, 3), keepdim=True)).detach()
    exact = -0.25 * centered / (expected + 1e-4)[:, None, None] / 16
    assert torch.allclose(gradient, exact)


# Logit


def test_the_logit_of_one_half() -> None:
    """p = 1/2, so y = 0 and dy/dx = (1 - 2 alpha) / (p (1 - p)) = 4 * 0.9 for each value."""
    y, log_det = Logit(0.05)(torch.full((1, 1, 2, 2), 0.5, dtype=torch.float64))
    assert torch.allclose(y, torch.zeros(1, 1, 2, 2, dtype=torch.float64), atol=1e-12)
    assert math.isclose(log_det.item(), 4 * math.log(3.6), rel_tol=1e-12)


def test_the_logit_is_finite_at_0_and_1_and_its_inverse_everywhere() -> None:
    layer = Logit(0.05)
    y, log_det = layer(torch.tensor([0.0, 1.0]).reshape(1, 1, 1, 2))
    assert torch.allclose(y.flatten(), torch.tensor([-1, 1]) * math.log(19), atol=1e-5)
    assert log_det.isfinite().all()
    x = layer.inverse(torch.tensor([-1e4, 1e4]).reshape(1, 1, 1, 2))
    assert (x.abs() < 1.06).all()


# Checkerboards


def test_small_checkerboards() -> None:
    assert checkerboard(3)[0, 0].tolist() == [[1, 0, 1], [0, 1, 0], [1, 0, 1]]
    assert torch.equal(checkerboard(4, odd=True), 1 - checkerboard(4))


@pytest.mark.parametrize("scale", [None, LearnedTanhScale(0.7)])
def test_one_checkerboard_coupling_keeps_half_of_the_pixels_and_two_keep_none(scale) -> None:
    torch.manual_seed(0)
    outputs = 2 if scale is None else 4
    first, second = (
        CheckerboardCoupling(small_network(2, outputs), SIZE, odd, scale) for odd in (False, True)
    )
    x = torch.randn(3, 2, SIZE, SIZE)
    y = first(x)[0]
    same = (y == x).float()
    assert torch.equal(same, checkerboard(SIZE).expand_as(x))
    assert (second(y)[0] != x).all()


def test_a_changed_pixel_depends_on_itself_and_the_pixels_that_stay() -> None:
    torch.manual_seed(0)
    layer = CheckerboardCoupling(small_network(1, 2), SIZE, scale=LearnedTanhScale(0.7)).double()
    x = torch.randn(1, 1, SIZE, SIZE, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda v: layer(v)[0], x).reshape(16, 16)
    stays = checkerboard(SIZE).flatten().bool()
    assert torch.equal(jacobian[stays][:, stays], torch.eye(8, dtype=torch.float64))
    assert not jacobian[stays][:, ~stays].any()
    changed = jacobian[~stays][:, ~stays]
    assert torch.equal(changed, changed.diag().diag())
    assert jacobian[~stays][:, stays].any()


@pytest.mark.parametrize("kind", ["checkerboard", "channels"])
def test_the_scale_stays_bounded_for_large_network_outputs(kind) -> None:
    class LargeOutputs(nn.Module):
        def forward(self, a):
            return torch.cat([a, 1e4 * torch.randn_like(a)], dim=1)

    scale = LearnedTanhScale(-2.0)
    checked = kind == "checkerboard"
    layer = (
        CheckerboardCoupling(LargeOutputs(), 4, scale=scale)
        if checked
        else ChannelCoupling(LargeOutputs(), scale)
    )
    x = torch.randn(4, 2, 4, 4)
    y, log_det = layer(x)
    assert y.isfinite().all()
    assert layer.inverse(x).isfinite().all()
    assert (log_det.abs() <= 2 * 16 + 1e-3).all()


# Weight normalization


def test_the_norm_of_a_weight_is_its_scale() -> None:
    torch.manual_seed(0)
    layer = WeightNormConv2d(3, 5, 3)
    with torch.no_grad():
        layer.scale.copy_(torch.arange(1.0, 6))
    assert torch.allclose(layer.weight().flatten(1).norm(dim=1), torch.arange(1.0, 6))
    x, before = torch.randn(2, 3, 6, 6), layer.weight().clone()
    y = layer(x)
    with torch.no_grad():
        layer.direction.mul_(7)
    assert torch.allclose(layer.weight(), before, atol=1e-6)
    assert torch.allclose(y, nn.functional.conv2d(x, before, layer.bias, padding=1), atol=1e-5)
    unscaled = WeightNormConv2d(3, 5, 3, scaled=False, bias=False)
    assert [name for name, _ in unscaled.named_parameters()] == ["direction"]
    assert torch.allclose(unscaled.weight().flatten(1).norm(dim=1), torch.ones(5))
