"""The L2 penalty on the scales of weight normalization (Dinh et al. 2017, section 4.1)."""

from __future__ import annotations

import math
from typing import Any

from torch import nn

from zoo.config.sections import TrainingConfig
from zoo.flows import Flow, WeightNormConv2d


def with_penalized_scales(
    network: Flow, penalty: float, training: TrainingConfig
) -> list[dict[str, Any]]:
    """Returns the parameters of the network in two groups: the scales g of weight normalization,
    with the penalty as weight decay, and the rest.

    The official code adds penalty * sum(g^2) to the mean nats per image. Bits per dimension are
    nats / (D log 2), and a weight decay of w adds w g to the gradient of g, so
    w = 2 penalty / (D log 2).
    """
    scales = [m.scale for m in network.modules() if isinstance(m, WeightNormConv2d)]
    penalized = [scale for scale in scales if scale is not None]
    penalized_ids = {id(scale) for scale in penalized}
    rest: list[nn.Parameter] = [p for p in network.parameters() if id(p) not in penalized_ids]
    decay = training.weight_decay + 2 * penalty / (network.image.dimensions * math.log(2))
    return [{"params": rest}, {"params": penalized, "weight_decay": decay}]
