"""The objective: the part of training that differs between models."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from torch import Tensor, nn
from torch.optim import Optimizer

from zoo.data.batch import Batch

Update = Callable[[str, Tensor], None]
"""``update(name, loss)``: the core clears the gradients of the optimizer ``name``, backpropagates
the scalar ``loss``, clips, and steps the optimizer."""


class Objective:
    """Networks and optimizers by name, and a step that turns batches into updates.

    The objective decides on networks and losses; the core on devices, precision, clipping, the
    learning rate's schedule, EMA and checkpoints. Before the first step the core replaces the
    networks by wrappers for its devices and precision, so a step must look them up
    (``self.networks["generator"]``) and call them through ``forward``.

    ``second_derivatives`` names the networks whose gradients are differentiated again, as by a
    gradient penalty. They are neither compiled nor recomputed.
    """

    networks: dict[str, nn.Module]
    optimizers: dict[str, Optimizer]
    batches_per_step: int = 1
    second_derivatives: Collection[str] = ()

    def initialize(self, batch: Batch) -> None:
        """Initializes layers from training images; called once, before the first step of a new run.

        Does nothing by default.
        """

    def step(self, batches: Sequence[Batch], update: Update) -> Mapping[str, Tensor]:
        """Takes one step on ``batches_per_step`` batches.

        Returns detached scalars on the device to log by name, the main one first. Must not wait for
        the device: no ``.item()``, no branch on a value.
        """
        raise NotImplementedError
