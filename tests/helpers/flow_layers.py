"""Every layer of zoo.flows with random weights, for tests of the properties that all have."""

import torch
from torch import nn

from zoo.flows import (
    ActNorm,
    BatchNorm,
    ChannelCoupling,
    CheckerboardCoupling,
    Composition,
    Invertible1x1,
    InvertibleLU1x1,
    LearnedTanhScale,
    Logit,
    Scaling,
    SigmoidScale,
    SplitPrior,
    Squeeze,
    TanhScale,
    TopPrior,
    Units,
    odd_even,
    reverse,
    shuffle,
    swap,
)


def small_network(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, 8, 3, padding=1), nn.Tanh(), nn.Conv2d(8, outputs, 1))


def initialized_units() -> Units:
    units = Units(2)
    units.initialize(torch.randn(8, 2, 4, 4) * torch.tensor([0.01, 3.0])[:, None, None])
    return units


def fitted_batch_norm() -> BatchNorm:
    """A batch normalization in evaluation mode, with the running statistics of a batch."""
    layer = BatchNorm(4)
    layer(3 * torch.randn(50, 4, 4, 4) + torch.arange(4.0)[:, None, None])
    return layer.eval()


LAYERS = {
    "actnorm": lambda: ActNorm(4, "zero"),
    "1x1": lambda: Invertible1x1(4),
    "lu": lambda: InvertibleLU1x1(4),
    "reverse": lambda: reverse(4),
    "shuffle": lambda: shuffle(4),
    "odd even": lambda: odd_even(4),
    "swap": lambda: swap(4),
    "scaling": lambda: Scaling(4),
    "squeeze": Squeeze,
    "additive": lambda: ChannelCoupling(small_network(2, 2)),
    "affine sigmoid": lambda: ChannelCoupling(small_network(2, 4), SigmoidScale()),
    "affine tanh": lambda: ChannelCoupling(small_network(2, 4), TanhScale()),
    "additive in units": lambda: ChannelCoupling(small_network(2, 2), units=initialized_units()),
    "affine in units": lambda: ChannelCoupling(
        small_network(2, 4), TanhScale(), initialized_units()
    ),
    "split prior": lambda: SplitPrior(small_network(2, 4)),
    "affine learned tanh": lambda: ChannelCoupling(small_network(2, 4), LearnedTanhScale()),
    "checkerboard affine": lambda: CheckerboardCoupling(
        small_network(4, 8), 4, scale=LearnedTanhScale(0.0)
    ),
    "checkerboard additive": lambda: CheckerboardCoupling(small_network(4, 4), 4, odd=True),
    "batch norm": fitted_batch_norm,
    "logit": Logit,
    "top prior": lambda: TopPrior(4),
    "composition": lambda: Composition([ActNorm(4, "zero"), Invertible1x1(4), reverse(4)]),
}
