"""Maximum likelihood."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor, nn

from zoo.config.sections import TrainingConfig
from zoo.data.batch import Batch
from zoo.objectives.objective import Objective, Update
from zoo.objectives.optimizers import Parameters, make_optimizer

Score = Callable[[nn.Module, Batch], Tensor]
"""``score(network, batch)``: nats of each discrete image, ``[N]``; calls ``network(...)``."""


class MaximumLikelihood(Objective):
    """Minimizes the mean of ``score`` over the batch, in bits per dimension.

    ``initialize(network, batch)`` is called before the first step. ``parameters`` are those of the
    network in groups, if a group has its own settings of the optimizer.
    """

    def __init__(
        self,
        network: nn.Module,
        training: TrainingConfig,
        score: Score,
        initialize: Callable[[nn.Module, Batch], None] | None = None,
        parameters: Parameters | None = None,
    ) -> None:
        self.networks = {"network": network}
        parameters = network.parameters() if parameters is None else parameters
        self.optimizers = {"network": make_optimizer(parameters, training)}
        self._score = score
        self._initialize = initialize

    def initialize(self, batch: Batch) -> None:
        if self._initialize is not None:
            self._initialize(self.networks["network"], batch)

    def step(self, batches: Sequence[Batch], update: Update) -> Mapping[str, Tensor]:
        (batch,) = batches
        nats = self._score(self.networks["network"], batch)
        bits_per_dim = nats.mean() / (batch.dimensions * math.log(2))
        update("network", bits_per_dim)
        return {"bits_per_dim": bits_per_dim.detach()}


def discrete_nats(log_prob: Tensor, batch: Batch) -> Tensor:
    """Returns -log p(x + u) + D b log 2, a bound on the nats -log P(x) of an image of D values of b
    bits, from the log-density ``[N]`` of the dequantized image in the unit cube (Theis et al. 2016,
    A note on the evaluation of generative models, section 3.1)."""
    return batch.dimensions * batch.bits * math.log(2) - log_prob
