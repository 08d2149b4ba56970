"""The network of Glow (Kingma and Dhariwal 2018): L levels of squeeze, K steps, and split."""

from __future__ import annotations

from torch import Tensor, nn

from zoo import ImageSpec, Latent
from zoo.flows import (
    ActNorm,
    ActNormConv2d,
    Bijection,
    ChannelCoupling,
    Composition,
    Flow,
    Invertible1x1,
    InvertibleLU1x1,
    MultiScale,
    SigmoidScale,
    SplitPrior,
    Squeeze,
    TanhScale,
    TopPrior,
    ZeroConv2d,
    reverse,
    shuffle,
)
from zoo_glow.config import GlowConfig

PERMUTATIONS = {
    "reverse": reverse,
    "shuffle": shuffle,
    "1x1": Invertible1x1,
    "lu": InvertibleLU1x1,
}

SCALES = {"sigmoid": SigmoidScale, "tanh": TanhScale}


class Glow(Flow):
    """A flow whose latents are standard normal: those of all levels, coarsest last."""

    def __init__(self, config: GlowConfig, image: ImageSpec) -> None:
        classes = image.classes if config.conditional else 0
        super().__init__(image, Latent(image.dimensions, "normal", classes))
        *channels, top = [image.channels << index + 2 for index in range(config.levels)]
        levels = [level(config, count, split=True) for count in channels]
        levels.append(level(config, top, split=False))
        size = image.size >> config.levels
        self.flow = MultiScale(levels, (top, size, size), prior=TopPrior(top, classes))

    def forward(self, x: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
        z, log_prob = self.flow(x - 0.5, labels)
        return z, log_prob

    def inverse(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.flow.inverse(z, labels) + 0.5


def level(config: GlowConfig, channels: int, split: bool) -> Composition:
    """Squeeze, K steps of flow and, except on the last level, the prior of the half that is
    factored out (paper, figure 2b)."""
    steps = [layer for _ in range(config.depth) for layer in step(config, channels)]
    layers = [Squeeze(), Composition(steps, reversible=config.memory == "reversible")]
    if split:
        layers.append(SplitPrior(ZeroConv2d(channels // 2, channels)))
    return Composition(layers)


def step(config: GlowConfig, channels: int) -> list[Bijection]:
    """Actnorm, a permutation, a coupling (paper, figure 2a)."""
    half = channels // 2
    scale = SCALES[config.scale]() if config.coupling == "affine" else None
    network = CouplingNetwork(config, half, half if scale is None else channels)
    return [
        ActNorm(channels, config.actnorm),
        PERMUTATIONS[config.permutation](channels),
        ChannelCoupling(network, scale),
    ]


class CouplingNetwork(nn.Sequential):
    """Three convolutions, 3x3, 1x1 and 3x3; the last one starts at zero (paper, appendix B)."""

    def __init__(self, config: GlowConfig, in_channels: int, out_channels: int) -> None:
        super().__init__(
            ActNormConv2d(in_channels, config.width, 3, config.actnorm),
            nn.ReLU(),
            ActNormConv2d(config.width, config.width, 1, config.actnorm),
            nn.ReLU(),
            ZeroConv2d(config.width, out_channels),
        )

    # Of its own, since torch.compile compiles the layers of torch's one by one.
    def forward(self, x: Tensor) -> Tensor:
        for layer in self:
            x = layer(x)
        return x
