"""Likelihoods p(x | z) from the output of a decoder.

All compute nats of the *discrete* image, with levels 0 to 2^bits - 1, so that they compare with one
another and with the bits per dimension of other models. The decoder's output is ``decoded``,
``[N, P, C, S, S]``: P parameters per pixel and channel.
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

MIN_LOG_SCALE, MAX_LOG_SCALE = -7.0, 2.0
"""Bounds of the log scale in the unit cube: a quarter of one of 256 levels, and almost uniform."""


class PixelLikelihood(ABC):
    """A distribution p(x | z) of images with ``bits`` bits, independent over pixels and channels.

    ``initial`` are the initial values of the P parameters; ``description`` becomes part of a
    metric's protocol.
    """

    initial: tuple[float, ...]
    description: str

    def __init__(self, bits: int) -> None:
        self.bits = bits

    @abstractmethod
    def nats(self, decoded: Tensor, batch: Batch) -> Tensor:
        """-log P(x | z) of the batch's images, or a bound on it, in nats, ``[N]``."""

    @abstractmethod
    def mean(self, decoded: Tensor) -> Tensor:
        """The mean image, ``[N, C, S, S]`` in [0, 1]."""


class Bernoulli(PixelLikelihood):
    """Black or white, from a logit per value (Kingma and Welling 2014, appendix C.1)."""

    initial = (0.0,)
    description = "with a Bernoulli likelihood, without dequantization"

    def nats(self, decoded: Tensor, batch: Batch) -> Tensor:
        logits, x = decoded.squeeze(1), batch.images.to(decoded.dtype)
        return binary_cross_entropy_with_logits(logits, x, reduction="none").sum((1, 2, 3))

    def mean(self, decoded: Tensor) -> Tensor:
        return torch.sigmoid(decoded.squeeze(1))


class Gaussian(PixelLikelihood):
    """A normal in the unit cube, from a mean and a log standard deviation per value (Kingma and
    Welling 2014, appendix C.2), on images dequantized with one sample of uniform noise."""

    initial = (0.5, -2.0)
    description = "with a Gaussian likelihood and one sample of uniform dequantization noise"

    def nats(self, decoded: Tensor, batch: Batch) -> Tensor:
        mean, log_std = location_and_log_scale(decoded)
        z = (batch.dequantized - mean) * torch.exp(-log_std)
        log_prob = -0.5 * (z.square() + math.log(2 * math.pi)) - log_std
        return discrete_nats(log_prob.sum((1, 2, 3)), batch)

    def mean(self, decoded: Tensor) -> Tensor:
        return from_unit(decoded[:, 0], self.bits)


class DiscretizedLogistic(PixelLikelihood):
    """A logistic in the unit cube, whose mass in a level's bin is the probability of that level
    (Kingma et al. 2016, Improving variational inference with inverse autoregressive flow).

    The outer bins extend to infinity, so that the probabilities sum to 1 (Salimans et al. 2017,
    eq. 2).
    """

    initial = (0.5, -2.0)
    description = "with a discretized logistic likelihood, without dequantization"

    def nats(self, decoded: Tensor, batch: Batch) -> Tensor:
        location, log_scale = location_and_log_scale(decoded)
        rate = torch.exp(-log_scale)
        level = batch.levels.to(decoded.dtype)
        below = (level / 2**self.bits - location) * rate
        width = rate / 2**self.bits
        above = below + width
        # With s = sigmoid, s(above) - s(below) = s(above) s(-below) (1 - exp(-width)), which avoids
        # the cancellation of the difference. In an outer bin the factors with an infinite edge
        # are 1.
        lowest, highest = batch.levels == 0, batch.levels == 2**self.bits - 1
        log_prob = logsigmoid(above).masked_fill(highest, 0.0)
        log_prob = log_prob + logsigmoid(-below).masked_fill(lowest, 0.0)
        log_prob = log_prob + torch.log(-torch.expm1(-width)).masked_fill(lowest | highest, 0.0)
        return -log_prob.sum((1, 2, 3))

    def mean(self, decoded: Tensor) -> Tensor:
        """The mean of the logistic clamped between the centers of black and white, which is the
        mean of the levels without their rounding."""
        location, log_scale = location_and_log_scale(decoded)
        black, white = 0.5 / 2**self.bits, 1 - 0.5 / 2**self.bits
        scale = torch.exp(log_scale)
        # The integral of P(X > t) = sigmoid((location - t) / scale) from black to white.
        integral = softplus((location - black) / scale) - softplus((location - white) / scale)
        return (integral * scale / (white - black)).clamp(0, 1)


LIKELIHOODS: dict[str, type[PixelLikelihood]] = {
    "bernoulli": Bernoulli,
    "gaussian": Gaussian,
    "logistic": DiscretizedLogistic,
}


def location_and_log_scale(decoded: Tensor) -> tuple[Tensor, Tensor]:
    """Location and log scale, ``[N, C, S, S]``, the log scale clamped to its bounds."""
    location, log_scale = decoded.unbind(1)
    return location, log_scale.clamp(MIN_LOG_SCALE, MAX_LOG_SCALE)
