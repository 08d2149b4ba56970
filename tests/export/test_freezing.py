"""Frozen networks: equal to the network in float64, with plain weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import zoo
from zoo.api import host
from zoo.flows import (
    ActNorm,
    ActNormConv2d,
    BatchNorm,
    Bijection,
    ChannelCoupling,
    Composition,
    Invertible1x1,
    InvertibleLU1x1,
    Scaling,
    SigmoidScale,
    Squeeze,
    ZeroConv2d,
    odd_even,
    reverse,
    shuffle,
    swap,
)
from zoo.flows.channelwise import MAX_JOINED_CHANNELS, FrozenChannelwise
from zoo.flows.permutation import FrozenPermutation
from zoo.freezing import freeze

GLOW = {"levels": 2, "depth": 2, "width": 8, "channels": 1}
NICE = {"width": 8, "depth": 1, "channels": 1}
REALNVP = {"blocks": 1, "width": 4, "channels": 1}

CASES: list[tuple[str, dict[str, Any]]] = [
    *(("glow", GLOW | {"permutation": name}) for name in ("reverse", "shuffle", "1x1", "lu")),
    ("glow", GLOW | {"coupling": "additive", "actnorm": "zero", "channels": 3}),
    ("glow", GLOW | {"scale": "sigmoid", "bits": 5}),
    ("glow", GLOW | {"conditional": True, "classes": 10, "memory": "reversible"}),
    *(("nice", NICE | {"permutation": name}) for name in ("alternate", "shuffle", "1x1", "lu")),
    ("nice", NICE | {"coupling": "affine", "scaling": "zero", "bits": 5}),
    ("nice", NICE | {"coupling": "affine", "split": "half", "prior": "normal"}),
    *(("realnvp", REALNVP | {"norm": name}) for name in ("batch", "actnorm", "none")),
    *(("realnvp", REALNVP | {"permutation": name}) for name in ("reverse", "shuffle")),
    ("realnvp", REALNVP | {"coupling": "additive", "checkerboard": False, "channels": 3}),
    ("realnvp", REALNVP | {"checkerboard": False, "norm": "actnorm", "bits": 5}),
    ("dcgan", {"width": 4}),
    ("dcgan", {"width": 4, "kernel": 5, "noise": "normal"}),
    *(("sngan", {"width": 4, "spectral_norm": name}) for name in ("critic", "both", "none")),
    ("sngan", {"width": 4, "spectral_norm": "both", "architecture": "resnet"}),
    ("vae", {"width": 4, "network": "mlp", "likelihood": "gaussian"}),
    ("vae", {"width": 4, "conditional": True, "classes": 10}),
]


@torch.no_grad()
def randomize(network: nn.Module) -> None:
    """Changes everything that training changes: weights, batch statistics, units."""
    for parameter in network.parameters():
        parameter += 0.1 * torch.randn_like(parameter)
    for name, buffer in network.named_buffers():
        last = name.rpartition(".")[2]
        if last in ("running_mean", "mean"):
            buffer += 0.3 * torch.randn_like(buffer)
        elif last in ("running_var", "variance", "values"):
            buffer *= 0.5 + torch.rand_like(buffer)
        elif last == "initialised":
            buffer.fill_(True)


def named(case: tuple[str, dict[str, Any]]) -> str:
    model, options = case
    changed = {k: v for k, v in options.items() if k not in ("levels", "depth", "width", "blocks")}
    return "-".join([model, *(f"{key}={value}" for key, value in changed.items())])


@pytest.mark.parametrize("case", CASES, ids=map(named, CASES))
def test_a_frozen_network_equals_the_network_in_float64(case: tuple[str, dict[str, Any]]) -> None:
    model, options = case
    torch.manual_seed(0)
    network = zoo.build(model, image_size=8, **options)
    randomize(network)
    network = network.double().eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    frozen = freeze(network)
    z = torch.rand(5, network.latent.size, dtype=torch.float64)
    labels = torch.arange(5) if network.latent.classes else None

    def both(hook: str, **arguments: Any) -> Any:
        owner = host().owner(model)
        return [owner.call(hook, network=module, **arguments) for module in (network, frozen)]

    with torch.no_grad():
        expected, actual = both("zoo_sample", latents=z, temperature=0.7, labels=labels)
        torch.testing.assert_close(actual, expected, rtol=0, atol=1e-10)
        assert expected.std() > 0.01
        if "encode" in host().spec(model).capabilities:
            x = torch.rand_like(expected)
            expected, actual = both("zoo_encode", images=x, labels=labels)
            for name in expected:
                torch.testing.assert_close(actual[name], expected[name], rtol=1e-10, atol=1e-9)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert not [name for name in frozen.state_dict() if "parametrizations" in name]
    assert not any(parameter.requires_grad for parameter in frozen.parameters())


def kinds(network: nn.Module) -> list[str]:
    return [type(module).__name__ for module in network.modules()]


def test_a_step_of_glow_is_one_convolution_and_a_coupling() -> None:
    network = zoo.build("glow", image_size=8, **GLOW)
    randomize(network)
    for level in freeze(network).flow.scales:
        layers = [type(layer).__name__ for layer in level.layers[1].layers]
        assert layers == ["FrozenChannelwise", "ChannelCoupling"] * GLOW["depth"]


def test_normalization_and_units_are_folded_into_the_weights() -> None:
    generator = zoo.build("dcgan", image_size=16, channels=1, width=4)
    assert "BatchNorm2d" in kinds(generator)
    assert not {"BatchNorm1d", "BatchNorm2d"} & set(kinds(freeze(generator)))
    nice = zoo.build("nice", image_size=8, **NICE)
    assert "Units" in kinds(nice)
    assert "Units" not in kinds(freeze(nice))
    realnvp = freeze(zoo.build("realnvp", image_size=8, **REALNVP))
    assert not {"BatchNorm", "BatchNorm2d", "WeightNormConv2d"} & set(kinds(realnvp))


class Foreign(nn.Module):
    """A plugin's flow: layers of ``zoo.flows``, a bijection of its own, and code around them."""

    def __init__(self) -> None:
        super().__init__()
        layers = [Squeeze(), ActNorm(8), BatchNorm(8), InvertibleLU1x1(8), shuffle(8), Scaling(8)]
        layers += [Doubled(), ChannelCoupling(ZeroConv2d(4, 8), SigmoidScale()), Invertible1x1(8)]
        self.body = Composition([*layers, odd_even(8)])

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.body(x * 3)

    def inverse(self, z: torch.Tensor) -> torch.Tensor:
        return self.body.inverse(z) / 3


class Doubled(Bijection):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return 2 * x, x.new_full((x.shape[0],), x[0].numel() * torch.tensor(2.0).log().item())

    def inverse(self, y: torch.Tensor) -> torch.Tensor:
        return y / 2


def test_a_foreign_flow_freezes_by_its_layers() -> None:
    torch.manual_seed(0)
    network = Foreign()
    randomize(network)
    network = network.double().eval()
    frozen, x = freeze(network), torch.randn(3, 2, 4, 4, dtype=torch.float64)
    with torch.no_grad():
        for expected, actual in zip(network(x), frozen(x), strict=True):
            torch.testing.assert_close(actual, expected)
        y = network(x)[0]
        torch.testing.assert_close(frozen.inverse(y), x)
    names = [type(layer).__name__ for layer in frozen.body.layers]
    joined = "FrozenChannelwise"
    assert names == ["Squeeze", joined, "Doubled", "ChannelCoupling", joined]


def test_weights_keep_their_dtype_and_inverses_are_exact() -> None:
    layer = Invertible1x1(8)
    with torch.no_grad():
        layer.weight.copy_(torch.diag(torch.logspace(-3, 3, 8)) @ layer.weight)
    frozen = freeze(layer)
    assert isinstance(frozen, FrozenChannelwise)
    assert frozen.inverse_weight.dtype == torch.float32
    exact = torch.linalg.inv(layer.weight.detach().double())
    torch.testing.assert_close(frozen.inverse_weight[:, :, 0, 0], exact.float(), rtol=1e-6, atol=0)
    assert frozen.log_det_per_pixel == pytest.approx(
        torch.linalg.slogdet(layer.weight.detach().double())[1].item()
    )


def test_layers_of_very_many_channels_are_not_merged_into_a_matrix() -> None:
    many = MAX_JOINED_CHANNELS + 2
    frozen = freeze(Composition([shuffle(many), Scaling(many)]))
    assert [type(layer) for layer in frozen.layers] == [FrozenPermutation, FrozenChannelwise]
    assert max(tensor.ndim for tensor in frozen.state_dict().values()) == 1


@pytest.mark.parametrize("make", [odd_even, reverse, shuffle, swap])
@pytest.mark.parametrize("channels", [1, 2, 3, 8, 9])
def test_a_frozen_permutation_equals_the_permutation(make: Any, channels: int) -> None:
    layer, x = make(channels), torch.randn(2, channels, 3, 3)
    frozen = freeze(layer)
    assert torch.equal(frozen(x)[0], layer(x)[0])
    assert torch.equal(frozen.inverse(x), layer.inverse(x))


def test_blocks_of_channels_are_moved_without_an_index() -> None:
    """As NICE does between two couplings."""
    assert not list(freeze(swap(784)).buffers())
    assert [len(order) for order in freeze(shuffle(784)).buffers()] == [784, 784]


def test_a_transposed_convolution_of_few_pixels_becomes_dense() -> None:
    layers = nn.Sequential(
        nn.Linear(5, 12),
        nn.Unflatten(1, (-1, 2, 2)),
        nn.ConvTranspose2d(3, 4, 4, 2, 1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.ConvTranspose2d(4, 2, 4, 2, 1, bias=False),
    )
    randomize(layers)
    layers = layers.double().eval()
    frozen, z = freeze(layers), torch.randn(6, 5, dtype=torch.float64)
    assert len([layer for layer in frozen if isinstance(layer, nn.ConvTranspose2d)]) == 1
    with torch.no_grad():
        torch.testing.assert_close(frozen(z), layers(z))
    larger = nn.Sequential(nn.Unflatten(1, (-1, 4, 4)), nn.ConvTranspose2d(3, 4, 4, 2, 1))
    assert isinstance(freeze(larger)[1], nn.ConvTranspose2d)


def test_saturated_scales_and_far_latents_stay_finite() -> None:
    """Exporters would take the logarithm of a sigmoid that underflowed to 0."""
    from zoo.flows.coupling import FrozenSigmoidScale
    from zoo.flows.prior import standard_logistic_log_prob

    raw = torch.tensor([-300.0, -30.0, -2.0, 0.0, 30.0, 300.0])
    torch.testing.assert_close(FrozenSigmoidScale()(raw), nn.functional.logsigmoid(raw + 2))
    sums = nn.functional.logsigmoid(raw) + nn.functional.logsigmoid(-raw)
    torch.testing.assert_close(standard_logistic_log_prob(raw[:, None]), sums)


@pytest.mark.parametrize(
    ("inputs", "padded"), [(2, 3), (6, 8), (7, 8), (12, 16), (16, 17), (17, 24), (40, 40)]
)
def test_input_channels_are_padded_to_a_multiple_of_eight_if_few_are_missing(
    inputs: int, padded: int
) -> None:
    layer = ActNormConv2d(inputs, 32, 3).double()
    randomize(layer)
    frozen = freeze(layer)
    x = torch.randn(3, inputs, 5, 4, dtype=torch.float64)
    assert torch.allclose(frozen(x), layer.eval()(x), rtol=1e-12, atol=1e-12)
    assert frozen.conv.weight.shape[1] == padded
