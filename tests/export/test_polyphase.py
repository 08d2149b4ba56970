"""Transposed convolutions as plain convolutions of their phases: the same images."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from zoo.freezing import freeze
from zoo.freezing.polyphase import Doubling, DoublingAndLast


def networks(*layers: nn.Module) -> tuple[nn.Sequential, nn.Sequential]:
    """A network in float64 with changed statistics, and its frozen copy."""
    torch.manual_seed(0)
    network = nn.Sequential(*layers).double().eval()
    for layer in network:
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.running_mean)
            nn.init.uniform_(layer.running_var, 0.5, 2)
    return network, freeze(network)


def assert_equal(network: nn.Sequential, frozen: nn.Sequential) -> None:
    x = torch.randn(2, network[0].in_channels, 3, 5, dtype=torch.float64)
    with torch.no_grad():
        assert torch.allclose(frozen(x), network(x), rtol=0, atol=1e-12)


def doubling(inputs: int, outputs: int, bias: bool = True) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=bias)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("channels", [1, 3])
def test_doublings_compute_what_the_layers_did(channels: int, bias: bool) -> None:
    network, frozen = networks(
        doubling(6, 16, bias),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        doubling(16, 4, bias),
        nn.ReLU(),
        doubling(4, 12, bias),
        nn.BatchNorm2d(12),
        nn.LeakyReLU(0.1),
        nn.Conv2d(12, channels, 3, padding=1, bias=bias),
        nn.Tanh(),
    )
    assert [type(layer) for layer in frozen if not isinstance(layer, nn.Identity)] == [
        Doubling,
        nn.ConvTranspose2d,
        nn.ReLU,
        DoublingAndLast,
        nn.Tanh,
    ]
    assert_equal(network, frozen)


@pytest.mark.parametrize(
    "layers",
    [
        [nn.ConvTranspose2d(4, 16, 3, 1, 1), nn.ReLU(), nn.Conv2d(16, 1, 3, padding=1)],
        [nn.ConvTranspose2d(4, 16, 4, 2, 1, groups=2), nn.ReLU(), nn.Conv2d(16, 1, 3, padding=1)],
        [nn.ConvTranspose2d(4, 16, 4, 2, 1, output_padding=1), nn.ReLU()],
        [doubling(4, 7), nn.ReLU(), nn.Conv2d(7, 1, 3, padding=1)],
    ],
)
def test_other_layers_stay(layers: list[nn.Module]) -> None:
    network, frozen = networks(*layers)
    assert [type(layer) for layer in frozen] == [type(layer) for layer in layers]
    assert_equal(network, frozen)


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Softmax2d(), nn.Conv2d(16, 1, 3, padding=1)],
        [nn.ReLU(), nn.Conv2d(16, 1, 3)],
        [nn.ReLU(), nn.Conv2d(16, 1, 3, padding=1, padding_mode="reflect")],
        [nn.ReLU(), nn.Conv2d(16, 8, 3, padding=1)],
        [nn.ReLU()],
    ],
)
def test_other_layers_stay_after_the_doubling(layers: list[nn.Module]) -> None:
    network, frozen = networks(doubling(4, 16), *layers)
    assert isinstance(frozen[0], Doubling)
    assert type(frozen[-1]) is (nn.Identity if len(layers) == 1 else type(layers[-1]))
    assert_equal(network, frozen)
