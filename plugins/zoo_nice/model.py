"""The network of NICE (Dinh, Krueger and Bengio 2015): couplings, then a diagonal scaling."""

from __future__ import annotations

import itertools

from torch import Tensor, nn

from zoo import ImageSpec, Latent
from zoo.flows import (
    Bijection,
    ChannelCoupling,
    Composition,
    Flow,
    Invertible1x1,
    InvertibleLU1x1,
    Scaling,
    TanhScale,
    Units,
    odd_even,
    shuffle,
    standard_logistic_log_prob,
    standard_normal_log_prob,
    swap,
)
from zoo_nice.config import NICEConfig

PERMUTATIONS = {
    "alternate": swap,
    "shuffle": shuffle,
    "1x1": Invertible1x1,
    "lu": InvertibleLU1x1,
}

PRIORS = {"logistic": standard_logistic_log_prob, "normal": standard_normal_log_prob}


class NICE(Flow):
    """A bijection between pictures in the unit cube and vectors of independent numbers.

    It sees a picture as one pixel that has all its D numbers as channels, ``[N, D, 1, 1]``.
    ``forward(x)`` takes ``[N, C, S, S]`` in [0, 1] and gives ``(z, log_prob)``: the latents
    ``[N, D]``, called h in the paper, and the log-density at x in nats, ``[N]``: log p_H(z) of the
    prior plus the log-determinant (paper, eq. 2). ``inverse(z)`` gives x back, not clamped.
    """

    def __init__(self, config: NICEConfig, image: ImageSpec) -> None:
        super().__init__(image, Latent(image.dimensions, config.prior))
        self.layers = Composition(layers(config, image.dimensions))
        self.log_prior = PRIORS[config.prior]

    def forward(self, x: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
        z, log_det = self.layers(x.reshape(x.shape[0], self.latent.size, 1, 1))
        z = z.flatten(1)
        return z, self.log_prior(z) + log_det

    def inverse(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        x = self.layers.inverse(z[:, :, None, None])
        return x.reshape(x.shape[0], self.image.channels, self.image.size, self.image.size)


def layers(config: NICEConfig, dimensions: int) -> list[Bijection]:
    """The split in two parts, couplings with a permutation between them, and the scaling (paper,
    section 5.1)."""
    found: list[Bijection] = [odd_even(dimensions)] if config.split == "odd-even" else []
    for index in range(config.couplings):
        if index:
            found.append(PERMUTATIONS[config.permutation](dimensions))
        found.append(coupling(config, dimensions))
    return [*found, Scaling(dimensions, config.scaling)]


def coupling(config: NICEConfig, dimensions: int) -> Bijection:
    """The second part shifted, or shifted and scaled, by a network of the first (section 3.2)."""
    second = dimensions // 2
    first = dimensions - second
    scale = TanhScale() if config.coupling == "affine" else None
    network = CouplingNetwork(config, first, second if scale is None else 2 * second)
    return ChannelCoupling(network, scale, Units(second, config.scaling))


class CouplingNetwork(nn.Module):
    """A multilayer perceptron, ``[N, inputs, 1, 1]`` to ``[N, outputs, 1, 1]``: ReLU layers and a
    linear one at the end (paper, section 5.1), zero at first, so that a coupling starts as the
    identity."""

    def __init__(self, config: NICEConfig, inputs: int, outputs: int) -> None:
        super().__init__()
        widths = [inputs] + [config.width] * config.depth
        hidden: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            hidden += [nn.Linear(before, after), nn.ReLU()]
        last = nn.Linear(config.width, outputs)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.layers = nn.Sequential(*hidden, last)

    @property
    def last(self) -> nn.Module:
        """The layer whose outputs are the network's."""
        return self.layers[-1]

    def forward(self, x: Tensor) -> Tensor:
        # As vectors: a matrix product, where a 1x1 convolution of one pixel is slower.
        y: Tensor = self.layers(x.flatten(1))
        return y[:, :, None, None]
