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
    """A flow on images as vectors: one pixel with all D values as channels, ``[N, D, 1, 1]``.

    The latents z, called h in the paper, are independent. log p(x) is log p_H(z) of the prior plus
    the log-determinant (paper, eq. 2).
    """

    def __init__(self, config: NICEConfig, image: ImageSpec) -> None:
        super().__init__(image, Latent(image.dimensions, config.prior))
        layers = make_layers(config, image.dimensions)
        self.layers = Composition(layers, reversible=config.memory == "reversible")
        self.log_prior = PRIORS[config.prior]

    def forward(self, x: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
        z, log_det = self.layers(x.reshape(x.shape[0], self.latent.size, 1, 1))
        z = z.flatten(1)
        return z, self.log_prior(z) + log_det

    def inverse(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        x = self.layers.inverse(z[:, :, None, None])
        return x.reshape(x.shape[0], self.image.channels, self.image.size, self.image.size)


def make_layers(config: NICEConfig, dimensions: int) -> list[Bijection]:
    """The split into two parts, couplings with a permutation between them, and the scaling (paper,
    section 5.1)."""
    layers: list[Bijection] = [odd_even(dimensions)] if config.split == "odd-even" else []
    for index in range(config.couplings):
        if index:
            layers.append(PERMUTATIONS[config.permutation](dimensions))
        layers.append(make_coupling(config, dimensions))
    return [*layers, Scaling(dimensions, config.scaling)]


def make_coupling(config: NICEConfig, dimensions: int) -> Bijection:
    """A coupling whose network maps the first part to the shift, and the scale, of the second
    (paper, section 3.2)."""
    second = dimensions // 2
    first = dimensions - second
    scale = TanhScale() if config.coupling == "affine" else None
    network = CouplingNetwork(config, first, second if scale is None else 2 * second)
    return ChannelCoupling(network, scale, Units(second, config.scaling))


class CouplingNetwork(nn.Module):
    """A multilayer perceptron with ReLU, ``[N, inputs, 1, 1]`` to ``[N, outputs, 1, 1]`` (paper,
    section 5.1). Its last layer starts at zero, so that a coupling starts as the identity."""

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
        """The last layer, into which :func:`zoo.flows.units.fold_units` folds units."""
        return self.layers[-1]

    def forward(self, x: Tensor) -> Tensor:
        # As vectors, since a 1x1 convolution of one pixel is slower than a matrix product.
        y: Tensor = self.layers(x.flatten(1))
        return y[:, :, None, None]
