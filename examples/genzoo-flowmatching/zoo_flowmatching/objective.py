"""Conditional flow matching as an objective of genzoo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from zoo.config.sections import TrainingConfig
from zoo.data.batch import Batch
from zoo.objectives import Objective, Update, make_optimizer


class FlowMatching(Objective):
    """The mean of |v(x_t, t) - (x - z)|^2 on straight lines x_t = (1 - t) z + t x from noise z to
    images x in [-1, 1] (Lipman et al. 2023, eq. 23, sigma_min = 0; Liu et al. 2022, eq. 1)."""

    def __init__(self, network: nn.Module, training: TrainingConfig) -> None:
        self.networks = {"velocity": network}
        self.optimizers = {"velocity": make_optimizer(network.parameters(), training)}

    def step(self, batches: Sequence[Batch], update: Update) -> Mapping[str, Tensor]:
        (batch,) = batches
        x = batch.signed
        z = batch.randn(*x.shape[1:])
        t = batch.rand(1, 1, 1)
        velocity = self.networks["velocity"](torch.lerp(z, x, t), t.flatten())
        loss = (velocity - (x - z)).square().mean()
        update("velocity", loss)
        return {"loss": loss.detach()}
