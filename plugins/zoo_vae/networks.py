"""Encoders and decoders: multi-layer perceptrons and convolutional networks.

An encoder maps images ``[N, C, S, S]`` to ``[N, 2 J]``; a decoder maps latents ``[N, J]`` to
``[N, P * C * S * S]``, in any shape, with P parameters per pixel and channel. Both take the classes
of the images as one-hot vectors ``[N, K]``, or None.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from zoo import ImageSpec
from zoo_vae.config import VAEConfig

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "silu": nn.SiLU}

MIN_SIZE = 4
"""Convolutions halve the image size down to this, or to an odd size."""


class Decoder(nn.Module):
    """Base of decoders; ``last`` is the layer that outputs the likelihood's parameters."""

    last: nn.Linear | nn.Conv2d


class MLPEncoder(nn.Module):
    """Hidden layers of equal width (Kingma and Welling 2014, appendix C); the label is concatenated
    to the pixels."""

    def __init__(self, config: VAEConfig, image: ImageSpec, classes: int) -> None:
        super().__init__()
        units, hidden = hidden_layers(config, image.dimensions + classes)
        self.layers = nn.Sequential(*hidden, nn.Linear(units, 2 * config.latent))

    def forward(self, images: Tensor, label: Tensor | None) -> Tensor:
        return cast(Tensor, self.layers(concatenate(images.flatten(1), label)))


class MLPDecoder(Decoder):
    """The mirror image of :class:`MLPEncoder`."""

    def __init__(self, config: VAEConfig, image: ImageSpec, classes: int, parts: int) -> None:
        super().__init__()
        units, hidden = hidden_layers(config, config.latent + classes)
        self.layers = nn.Sequential(*hidden)
        self.last = nn.Linear(units, parts * image.dimensions)

    def forward(self, z: Tensor, label: Tensor | None) -> Tensor:
        return self.last(self.layers(concatenate(z, label)))


class ConvEncoder(nn.Module):
    """Strided convolutions that halve the size and double the channels, residual blocks at each
    size, and a dense layer; the label is concatenated as a constant channel per class."""

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
        return cast(Tensor, self.layers(concatenate(images, label)))


class ConvDecoder(Decoder):
    """The mirror image of :class:`ConvEncoder`, and a final convolution at the image size."""

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
        return self.last(self.layers(concatenate(z, label)))


class Residual(nn.Module):
    """A pre-activation residual block of two 3x3 convolutions (He et al. 2016, Identity mappings in
    deep residual networks); the second is initialized to zero instead of normalizing."""

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
    """The hidden layers of a perceptron with ``units`` inputs, after the size of their output."""
    layers: list[nn.Module] = []
    for _ in range(config.depth):
        layers += [nn.Linear(units, config.width), ACTIVATIONS[config.activation]()]
        units = config.width
    return units, layers


def stages(size: int, width: int) -> list[tuple[int, int]]:
    """Size and channels after each halving of an even ``size``, at least one."""
    sizes: list[tuple[int, int]] = []
    while size % 2 == 0 and (size > MIN_SIZE or not sizes):
        size //= 2
        sizes.append((size, width << len(sizes)))
    return sizes


def concatenate(x: Tensor, label: Tensor | None) -> Tensor:
    return x if label is None else torch.cat([x, label], dim=1)
