"""Every layer of zoo.flows: inverse, log-determinant, saving, and initialization from data."""

import math

import pytest
import torch
from flow_layers import LAYERS, small_network
from torch import nn

from zoo.flows import (
    ActNorm,
    ActNormConv2d,
    Bijection,
    ChannelCoupling,
    Invertible1x1,
    InvertibleLU1x1,
    Scaling,
    SigmoidScale,
    Squeeze,
    TanhScale,
    TopPrior,
    Units,
    ZeroConv2d,
    initialize_from_data,
    odd_even,
    reverse,
    shuffle,
    standard_logistic_log_prob,
    standard_normal_log_prob,
    swap,
)
from zoo.freezing import freeze


@pytest.fixture(params=LAYERS)
def layer(request: pytest.FixtureRequest) -> nn.Module:
    """A layer with random parameters in float64."""
    torch.manual_seed(0)
    layer = LAYERS[request.param]().double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return layer


def test_log_determinant_matches_the_jacobian_of_autograd(layer: Bijection) -> None:
    x = torch.rand(3, 4, 4, 4, dtype=torch.float64)
    _, log_det = layer(x)
    assert log_det.shape == (3,)
    for i in range(3):
        jacobian = torch.autograd.functional.jacobian(lambda v: layer(v)[0], x[i : i + 1])
        exact = torch.linalg.slogdet(jacobian.reshape(64, 64))[1]
        assert abs(log_det[i] - exact) < 1e-8


def test_inverse_recovers_the_input(layer: Bijection) -> None:
    x = torch.rand(5, 4, 4, 4, dtype=torch.float64)
    assert torch.allclose(layer.inverse(layer(x)[0]), x, atol=1e-10)
    y = layer(x)[0]
    assert torch.allclose(layer(layer.inverse(y))[0], y, atol=1e-10)


def test_a_loaded_layer_is_the_same_map(layer: nn.Module, request) -> None:
    torch.manual_seed(1)
    other = LAYERS[request.node.callspec.params["layer"]]().double()
    other.load_state_dict(layer.state_dict())
    x = torch.rand(2, 4, 4, 4, dtype=torch.float64)
    assert torch.equal(other(x)[0], layer(x)[0])
    assert torch.equal(other.inverse(x), layer.inverse(x))


def test_a_frozen_layer_computes_the_same(layer: nn.Module) -> None:
    layer.eval()
    x, frozen = torch.rand(3, 4, 4, 4, dtype=torch.float64), freeze(layer)
    with torch.no_grad():
        y, log_det = layer(x)
        torch.testing.assert_close(frozen(x), (y, log_det))
        torch.testing.assert_close(frozen.inverse(y), x)


def test_units_are_the_standard_deviation_of_the_shifted_channels() -> None:
    torch.manual_seed(0)
    network = small_network(2, 2)
    scaled, plain = ChannelCoupling(network, units=Units(2)), ChannelCoupling(network)
    x = torch.randn(64, 4, 3, 3) * torch.tensor([1.0, 1.0, 0.01, 5.0])[:, None, None]
    initialize_from_data(scaled, lambda: scaled(x))
    std = x[:, 2:].std((0, 2, 3), correction=0)
    assert torch.allclose(scaled.units.values, std)
    shift = plain(x)[0][:, 2:] - x[:, 2:]
    assert torch.allclose(scaled(x)[0][:, 2:], x[:, 2:] + shift * std[:, None, None], atol=1e-6)
    initialize_from_data(scaled, lambda: scaled(9 * x))
    assert torch.equal(scaled.units.values, std)


def test_units_without_data_are_1() -> None:
    units = Units(3, "zero")
    initialize_from_data(units, lambda: pytest.fail("forward must not be called"))
    shift = torch.randn(2, 3, 4, 4)
    assert torch.equal(units(shift), shift)


def test_lu_and_plain_1x1_agree() -> None:
    torch.manual_seed(0)
    lu, plain = InvertibleLU1x1(6).double(), Invertible1x1(6).double()
    with torch.no_grad():
        lu.log_diagonal += torch.randn(6, dtype=torch.float64)
        plain.weight.copy_(lu.matrix())
    x = torch.randn(2, 6, 3, 3, dtype=torch.float64)
    assert torch.allclose(lu(x)[0], plain(x)[0])
    assert torch.allclose(lu(x)[1], plain(x)[1], atol=1e-12)


@pytest.mark.parametrize("kind", [Invertible1x1, InvertibleLU1x1])
def test_a_1x1_starts_as_a_rotation(kind) -> None:
    torch.manual_seed(0)
    matrix = kind(12).matrix()
    assert torch.allclose(matrix @ matrix.T, torch.eye(12), atol=1e-5)
    assert abs(kind(12)(torch.randn(1, 12, 2, 2))[1].item()) < 1e-4


def test_orders_of_the_permutations() -> None:
    x = torch.arange(4.0).reshape(1, 4, 1, 1)
    assert reverse(4)(x)[0].flatten().tolist() == [3, 2, 1, 0]
    assert odd_even(4)(x)[0].flatten().tolist() == [0, 2, 1, 3]
    assert swap(4)(x)[0].flatten().tolist() == [2, 3, 0, 1]
    torch.manual_seed(0)
    assert sorted(shuffle(4)(x)[0].flatten().tolist()) == [0, 1, 2, 3]


def test_the_first_half_of_an_odd_number_of_channels_has_one_more() -> None:
    x = torch.arange(5.0).reshape(1, 5, 1, 1)
    first, second = x.chunk(2, dim=1)
    assert swap(5)(x)[0].flatten().tolist() == [*second.flatten(), *first.flatten()]
    assert odd_even(5)(x)[0].chunk(2, dim=1)[0].flatten().tolist() == [0, 2, 4]


def test_squeeze_turns_each_square_into_channels() -> None:
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert Squeeze()(x)[0][0, :, 0, 0].tolist() == [0, 1, 4, 5]


def test_actnorm_initialized_from_data_gives_mean_0_and_variance_1() -> None:
    torch.manual_seed(0)
    layer, x = ActNorm(3), torch.randn(64, 3, 5, 5) * 4 + 7
    initialize_from_data(layer, lambda: layer(x))
    y = layer(x)[0]
    assert torch.allclose(y.mean((0, 2, 3)), torch.zeros(3), atol=1e-4)
    assert torch.allclose(y.var((0, 2, 3), correction=0), torch.ones(3), atol=1e-4)


def test_actnorm_in_a_convolution_gives_mean_0_and_variance_1() -> None:
    torch.manual_seed(0)
    layer, x = ActNormConv2d(3, 5, 3), torch.randn(64, 3, 6, 6) + 2
    initialize_from_data(layer, lambda: layer(x))
    y = layer(x)
    assert torch.allclose(y.mean((0, 2, 3)), torch.zeros(5), atol=1e-3)
    assert torch.allclose(y.var((0, 2, 3), correction=0), torch.ones(5), atol=1e-3)


def test_actnorm_is_initialized_once_and_not_again_after_loading() -> None:
    layer, x = ActNorm(3), torch.randn(16, 3, 4, 4)
    initialize_from_data(layer, lambda: layer(x))
    first = {name: value.clone() for name, value in layer.state_dict().items()}
    initialize_from_data(layer, lambda: layer(10 * x + 3))
    loaded = ActNorm(3)
    loaded.load_state_dict(first)
    initialize_from_data(loaded, lambda: loaded(10 * x + 3))
    for name, value in first.items():
        assert torch.equal(layer.state_dict()[name], value)
        assert torch.equal(loaded.state_dict()[name], value)


def test_actnorm_without_data_is_the_identity() -> None:
    layer, x = ActNorm(3, "zero"), torch.randn(16, 3, 4, 4) * 5
    initialize_from_data(layer, lambda: layer(x))
    assert torch.equal(layer(x)[0], x)


def test_a_zero_convolution_starts_at_zero() -> None:
    assert torch.equal(ZeroConv2d(3, 5)(torch.randn(2, 3, 4, 4)), torch.zeros(2, 5, 4, 4))


def test_an_edge_convolution_equals_one_with_a_channel_that_marks_the_outside() -> None:
    torch.manual_seed(0)
    layer = ZeroConv2d(2, 3).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter += torch.randn_like(parameter)
    x = torch.randn(2, 2, 5, 4, dtype=torch.float64)
    marked = torch.nn.functional.pad(x, (1, 1, 1, 1))
    outside = torch.ones(2, 1, 7, 6, dtype=torch.float64)
    outside[:, :, 1:-1, 1:-1] = 0
    weight = torch.cat([layer.weight, layer.edge], dim=1)
    plain = torch.nn.functional.conv2d(torch.cat([marked, outside], 1), weight, layer.bias)
    assert torch.allclose(layer(x), plain * torch.exp(3 * layer.log_scale)[:, None, None])


@pytest.mark.parametrize("scale", [SigmoidScale(), TanhScale()])
def test_the_scale_stays_bounded_for_large_network_outputs(scale) -> None:
    class LargeOutputs(nn.Module):
        def forward(self, a):
            return torch.cat([a, 1e4 * torch.randn_like(a)], dim=1)

    layer = ChannelCoupling(LargeOutputs(), scale)
    x = torch.randn(4, 4, 3, 3)
    y, log_det = layer(x)
    assert y.isfinite().all()
    assert log_det.isfinite().all()
    if isinstance(scale, TanhScale):
        assert layer.inverse(x).isfinite().all()
        assert (log_det.abs() <= 18 + 1e-3).all()
    else:
        assert (log_det <= 0).all()


def test_the_top_prior_of_a_class_is_a_normal_density() -> None:
    torch.manual_seed(0)
    prior = TopPrior(2, classes=3).double()
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter += 0.5 * torch.randn_like(parameter)
    x, labels = torch.randn(4, 2, 3, 3, dtype=torch.float64), torch.tensor([0, 1, 2, 1])
    z, log_det = prior(x, labels)
    both = torch.cat([prior.mean, prior.log_std])[None] + prior.by_class(labels)
    mean, log_std = both[:, :, None, None].expand(4, 4, 3, 3).chunk(2, dim=1)
    exact = torch.distributions.Normal(mean, log_std.exp()).log_prob(x).sum((1, 2, 3))
    assert torch.allclose(standard_normal_log_prob(z.flatten(1)) + log_det, exact)
    with pytest.raises(ValueError, match="label"):
        prior(x)


def test_standard_normal_log_prob_matches_torch() -> None:
    z = torch.randn(3, 7, dtype=torch.float64)
    exact = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
    assert torch.allclose(standard_normal_log_prob(z), exact)
    assert math.isclose(
        standard_normal_log_prob(torch.zeros(1, 2)).item(), -math.log(2 * math.pi), abs_tol=1e-6
    )


def test_standard_logistic_log_prob_matches_torch() -> None:
    z = torch.tensor([[0.0, 1.5, -3.0], [40.0, -40.0, 20.5]], dtype=torch.float64)
    base = torch.distributions.Uniform(z.new_zeros(()), z.new_ones(()))
    logit = torch.distributions.SigmoidTransform().inv
    exact = torch.distributions.TransformedDistribution(base, [logit]).log_prob(z[:1]).sum(1)
    assert torch.allclose(standard_logistic_log_prob(z[:1]), exact)
    # In the tails, where a sigmoid rounds to 0 or 1, the density falls by a nat per unit.
    assert standard_logistic_log_prob(z[1:]).item() == pytest.approx(-100.5, abs=1e-8)
    assert standard_logistic_log_prob(torch.zeros(1, 1)).item() == pytest.approx(-math.log(4))


def test_scaling_initialized_from_data_gives_variance_1_and_is_set_once() -> None:
    torch.manual_seed(0)
    layer, x = Scaling(3, "data"), torch.randn(64, 3, 5, 5) * 4 + 7
    initialize_from_data(layer, lambda: layer(x))
    initialize_from_data(layer, lambda: layer(10 * x))
    assert torch.allclose(layer(x)[0].var((0, 2, 3), correction=0), torch.ones(3), atol=1e-4)
    loaded = Scaling(3, "data")
    loaded.load_state_dict(layer.state_dict())
    initialize_from_data(loaded, lambda: loaded(10 * x))
    assert torch.equal(loaded(x)[0], layer(x)[0])
    zero = Scaling(3)
    initialize_from_data(zero, lambda: zero(x))
    assert torch.equal(zero(x)[0], x)


def test_scaling_starts_as_the_identity_and_its_log_determinant_is_known() -> None:
    layer, x = Scaling(3), torch.randn(2, 3, 4, 5)
    assert torch.equal(layer(x)[0], x)
    with torch.no_grad():
        layer.log_scale.copy_(torch.tensor([1.0, -2.0, 0.5]))
    y, log_det = layer(x)
    assert log_det.tolist() == [-10.0, -10.0]
    assert torch.allclose(y[:, 1], x[:, 1] * math.exp(-2))
