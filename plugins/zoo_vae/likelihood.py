"""What the numbers that a decoder gives say of a picture: the likelihoods p(x | z).

Each counts nats of the *discrete* picture, whose values have the levels 0 to 2^bits - 1, so that
they compare with one another and with other models' bits per dimension. A decoder's numbers are
``decoded``, ``[N, P, C, S, S]``, P for each value of a picture.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid, softplus

from zoo.data.quantize import from_unit
from zoo.objectives import discrete_nats

if TYPE_CHECKING:
    from zoo.data.batch import Batch

LOWEST, HIGHEST = -7.0, 2.0
"""Bounds of a log scale in the unit cube: from a quarter of one of 256 levels, narrower than which
nothing is gained, to where all levels are alike."""


class Likelihood(ABC):
    """p(x | z) of pictures of ``bits`` bits; ``first`` are the P numbers to begin from."""

    first: tuple[float, ...]
    protocol: str
    """What its nats are of, in words."""

    def __init__(self, bits: int) -> None:
        self.bits = bits

    @abstractmethod
    def nats(self, decoded: Tensor, batch: Batch) -> Tensor:
        """-log P(x | z) of the batch's pictures, or a bound on it, in nats, ``[N]``."""

    @abstractmethod
    def mean(self, decoded: Tensor) -> Tensor:
        """The mean picture, ``[N, C, S, S]`` in [0, 1]."""


class Bernoulli(Likelihood):
    """Black or white, by a logit for each value (Kingma and Welling 2014, appendix C.1)."""

    first = (0.0,)
    protocol = "by a Bernoulli likelihood of black and white, without dequantisation"

    def nats(self, decoded: Tensor, batch: Batch) -> Tensor:
        logits, x = decoded.squeeze(1), batch.images.to(decoded.dtype)
        return binary_cross_entropy_with_logits(logits, x, reduction="none").sum((1, 2, 3))

    def mean(self, decoded: Tensor) -> Tensor:
        return torch.sigmoid(decoded.squeeze(1))


class Gaussian(Likelihood):
    """Normal in the unit cube, by a mean and a log standard deviation for each value (Kingma and
    Welling 2014, appendix C.2), on pictures dequantised by one uniform draw."""

    first = (0.5, -2.0)
    protocol = "by a Gaussian likelihood of the picture after one uniform dequantisation draw"

    def nats(self, decoded: Tensor, batch: Batch) -> Tensor:
        mean, log_std = location_and_log_scale(decoded)
        z = (batch.dequantized - mean) * torch.exp(-log_std)
        log_prob = -0.5 * (z.square() + math.log(2 * math.pi)) - log_std
        return discrete_nats(log_prob.sum((1, 2, 3)), batch)

    def mean(self, decoded: Tensor) -> Tensor:
        return from_unit(decoded[:, 0], self.bits)


class DiscretizedLogistic(Likelihood):
    """A logistic in the unit cube whose mass in the bin of a level is that level's probability;
    the outer bins reach to infinity, so that the levels' probabilities have the sum 1 (Kingma et
    al. 2016, Improving variational inference with inverse autoregressive flow, on the output
    distribution; the outer bins as in Salimans et al. 2017, eq. 2)."""

    first = (0.5, -2.0)
    protocol = "by a discretised logistic likelihood of the levels, without dequantisation"

    def nats(self, decoded: Tensor, batch: Batch) -> Tensor:
        location, log_scale = location_and_log_scale(decoded)
        highest, rate = 2**self.bits - 1, torch.exp(-log_scale)
        level = batch.levels.to(decoded.dtype)
        below = (level / 2**self.bits - location) * rate
        width = rate / 2**self.bits
        above = below + width
        # With s = sigmoid, s(above) - s(below) = s(above) s(-below) (1 - exp(-width)): three
        # factors near 1 or small, none of them a difference of numbers that are nearly the same.
        # At an outer bin the factors with an infinite edge are 1.
        left, right = batch.levels == 0, batch.levels == highest
        log_prob = logsigmoid(above).masked_fill(right, 0.0)
        log_prob = log_prob + logsigmoid(-below).masked_fill(left, 0.0)
        log_prob = log_prob + torch.log(-torch.expm1(-width)).masked_fill(left | right, 0.0)
        return -log_prob.sum((1, 2, 3))

    def mean(self, decoded: Tensor) -> Tensor:
        """The mean of the logistic held between the centres of black and white: the levels' mean
        but for the rounding to levels."""
        location, log_scale = location_and_log_scale(decoded)
        black, white = 0.5 / 2**self.bits, 1 - 0.5 / 2**self.bits
        scale = torch.exp(log_scale)
        # The integral of P(X > t) = sigmoid((location - t) / scale) from black to white.
        held = softplus((location - black) / scale) - softplus((location - white) / scale)
        return (held * scale / (white - black)).clamp(0, 1)


LIKELIHOODS: dict[str, type[Likelihood]] = {
    "bernoulli": Bernoulli,
    "gaussian": Gaussian,
    "logistic": DiscretizedLogistic,
}


def location_and_log_scale(decoded: Tensor) -> tuple[Tensor, Tensor]:
    """Both ``[N, C, S, S]``, the log scale within its bounds."""
    location, log_scale = decoded.unbind(1)
    return location, log_scale.clamp(LOWEST, HIGHEST)
