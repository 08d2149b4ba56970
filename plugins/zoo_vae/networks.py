"""Encoders and decoders: multi-layer perceptrons, and convolutions.

An encoder takes pictures ``[N, C, S, S]`` to ``[N, 2 J]``; a decoder takes latents ``[N, J]`` to
``[N, P * C * S * S]``, in any shape, P for each value of a picture. Both take the class of each
picture as a one-hot ``[N, K]``, or None.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from zoo import ImageSpec
from zoo_vae.config import VAEConfig

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "silu": nn.SiLU}

SMALLEST = 4
"""Convolutions halve a picture down to so many pixels a side, or to an odd number."""


class Head(nn.Module):
    """A decoder; ``last`` is the layer whose outputs are the likelihood's numbers."""

    last: nn.Linear | nn.Conv2d


class MLPEncoder(nn.Module):
    """Hidden layers of equal width (Kingma and Welling 2014, appendix C); the label stands beside
    the picture."""

    def __init__(self, config: VAEConfig, image: ImageSpec, classes: int) -> None:
        super().__init__()
        units, hidden = hidden_layers(config, image.dimensions + classes)
        self.layers = nn.Sequential(*hidden, nn.Linear(units, 2 * config.latent))

    def forward(self, images: Tensor, label: Tensor | None) -> Tensor:
        return cast(Tensor, self.layers(beside(images.flatten(1), label)))


class MLPDecoder(Head):
    """The encoder's mirror."""

    def __init__(self, config: VAEConfig, image: ImageSpec, classes: int, parts: int) -> None:
        super().__init__()
        units, hidden = hidden_layers(config, config.latent + classes)
        self.layers = nn.Sequential(*hidden)
        self.last = nn.Linear(units, parts * image.dimensions)

    def forward(self, z: Tensor, label: Tensor | None) -> Tensor:
        return self.last(self.layers(beside(z, label)))


class ConvEncoder(nn.Module):
    """Strided convolutions that halve the size and double the channels, residual blocks at each
    size, and a matrix product; the label is a plane for each class."""

    def __init__(self, config: VAEConfig, image: ImageSpec, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = image.channels + classes
        for size, wide in stages(image.size, config.width):
            layers.append(nn.Conv2d(channels, wide, 4, 2, 1))
            layers += [Residual(wide, config.activation) for _ in range(config.depth)]
            layers.append(ACTIVATIONS[config.activation]())
            channels, flat = wide, wide * size**2
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(flat, 2 * config.latent))

    def forward(self, images: Tensor, label: Tensor | None) -> Tensor:
        if label is not None:
            label = label[:, :, None, None].expand(-1, -1, *images.shape[2:])
        return cast(Tensor, self.layers(beside(images, label)))


class ConvDecoder(Head):
    """The encoder's mirror, with one more convolution at the picture's own size."""

    def __init__(self, config: VAEConfig, image: ImageSpec, classes: int, parts: int) -> None:
        super().__init__()
        halvings = stages(image.size, config.width)
        first, channels = halvings[-1]
        layers: list[nn.Module] = [
            nn.Linear(config.latent + classes, channels * first**2),
            nn.Unflatten(1, (channels, first, first)),
        ]
        for _, wide in [*halvings[-2::-1], (image.size, config.width)]:
            layers += [Residual(channels, config.activation) for _ in range(config.depth)]
            layers.append(ACTIVATIONS[config.activation]())
            layers.append(nn.ConvTranspose2d(channels, wide, 4, 2, 1))
            channels = wide
        self.layers = nn.Sequential(*layers, ACTIVATIONS[config.activation]())
        self.last = nn.Conv2d(channels, parts * image.channels, 3, padding=1)

    def forward(self, z: Tensor, label: Tensor | None) -> Tensor:
        return self.last(self.layers(beside(z, label)))


class Residual(nn.Module):
    """x + two 3x3 convolutions of it, activations before them (He et al. 2016, Identity mappings in
    deep residual networks); the second begins at zero, in the place of a normalisation."""

    def __init__(self, channels: int, activation: str) -> None:
        super().__init__()
        last = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(last.weight)
        self.layers = nn.Sequential(
            ACTIVATIONS[activation](),
            nn.Conv2d(channels, channels, 3, padding=1),
            ACTIVATIONS[activation](),
            last,
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + cast(Tensor, self.layers(x))


NETWORKS = {"mlp": (MLPEncoder, MLPDecoder), "convolutional": (ConvEncoder, ConvDecoder)}


def hidden_layers(config: VAEConfig, units: int) -> tuple[int, list[nn.Module]]:
    """The hidden layers of a perceptron with ``units`` inputs, and how many outputs they have."""
    layers: list[nn.Module] = []
    for _ in range(config.depth):
        layers += [nn.Linear(units, config.width), ACTIVATIONS[config.activation]()]
        units = config.width
    return units, layers


def stages(size: int, width: int) -> list[tuple[int, int]]:
    """Pixels a side and channels after each halving of an even ``size``; one at least."""
    found: list[tuple[int, int]] = []
    while size % 2 == 0 and (size > SMALLEST or not found):
        size //= 2
        found.append((size, width << len(found)))
    return found


def beside(x: Tensor, label: Tensor | None) -> Tensor:
    return x if label is None else torch.cat([x, label], dim=1)
