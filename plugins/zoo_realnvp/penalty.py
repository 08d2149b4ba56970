"""The L2 penalty on the scales of weight normalisation (Dinh et al. 2017, section 4.1)."""

from __future__ import annotations

import math
from typing import Any

from torch import nn

from zoo.config.sections import TrainingConfig
from zoo.flows import WeightNormConv2d
from zoo_realnvp.model import RealNVP


def with_penalized_scales(
    network: RealNVP, penalty: float, training: TrainingConfig
) -> list[dict[str, Any]]:
    """The network's parameters in two groups: the scales g of its weight normalisation, and the
    rest.

    The official code adds penalty * sum(g^2) to the mean nats of a picture. Bits per dimension are
    those over D log 2, and a ``weight_decay`` of w adds w g to the gradient of g; so
    w = 2 penalty / (D log 2).
    """
    scales = [m.scale for m in network.modules() if isinstance(m, WeightNormConv2d)]
    penalized = [scale for scale in scales if scale is not None]
    chosen = {id(scale) for scale in penalized}
    rest: list[nn.Parameter] = [p for p in network.parameters() if id(p) not in chosen]
    decay = training.weight_decay + 2 * penalty / (network.image.dimensions * math.log(2))
    return [{"params": rest}, {"params": penalized, "weight_decay": decay}]
