"""Layers of normalizing flows on images.

Each layer is a :class:`Bijection`: ``forward(x)`` returns the output and the log-determinant of
each image in nats, ``inverse(y)`` the input. :func:`maximum_likelihood` trains flows built from
them.
"""

from zoo.flows.actnorm import ActNorm
from zoo.flows.batchnorm import BatchNorm
from zoo.flows.bijection import Bijection
from zoo.flows.channelwise import Affine, Channelwise
from zoo.flows.checkerboard import CheckerboardCoupling, checkerboard
from zoo.flows.composition import Composition
from zoo.flows.conv1x1 import Invertible1x1, InvertibleLU1x1
from zoo.flows.convolution import ActNormConv2d, ZeroConv2d
from zoo.flows.coupling import ChannelCoupling, LearnedTanhScale, SigmoidScale, TanhScale
from zoo.flows.flow import Flow
from zoo.flows.from_data import FromData, initialize_from_data
from zoo.flows.likelihood import maximum_likelihood, nats
from zoo.flows.logit import Logit
from zoo.flows.multiscale import MultiScale
from zoo.flows.permutation import Permutation, odd_even, reverse, shuffle, swap
from zoo.flows.prior import (
    SplitPrior,
    TopPrior,
    standard_logistic_log_prob,
    standard_normal_log_prob,
)
from zoo.flows.scaling import Scaling
from zoo.flows.squeeze import Squeeze
from zoo.flows.units import Units
from zoo.flows.weightnorm import WeightNormConv2d

__all__ = [
    "ActNorm",
    "ActNormConv2d",
    "Affine",
    "BatchNorm",
    "Bijection",
    "ChannelCoupling",
    "Channelwise",
    "CheckerboardCoupling",
    "Composition",
    "Flow",
    "FromData",
    "Invertible1x1",
    "InvertibleLU1x1",
    "LearnedTanhScale",
    "Logit",
    "MultiScale",
    "Permutation",
    "Scaling",
    "SigmoidScale",
    "SplitPrior",
    "Squeeze",
    "TanhScale",
    "TopPrior",
    "Units",
    "WeightNormConv2d",
    "ZeroConv2d",
    "checkerboard",
    "initialize_from_data",
    "maximum_likelihood",
    "nats",
    "odd_even",
    "reverse",
    "shuffle",
    "standard_logistic_log_prob",
    "standard_normal_log_prob",
    "swap",
]
