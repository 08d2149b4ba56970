"""What a training step does: the part of training that differs from model to model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from torch import Tensor, nn
from torch.optim import Optimizer

from zoo.data.batch import Batch

Update = Callable[[str, Tensor], None]
"""``update(name, loss)``: the core clears the gradients of the optimizer of that name, goes
backward from the scalar ``loss``, clips, and takes its step."""


class Objective:
    """Networks, their optimizers, and a step that turns batches into updates.

    The loop knows no more than this: one network or several, one loss or a game of losses is the
    objective's business; devices, precision, clipping, the learning rate's course, averaging and
    checkpoints are the core's. ``networks`` and ``optimizers`` are by name; before the first step
    the core replaces the networks by ones that run on its devices in its precision, so a step
    looks them up (``self.networks["generator"]``) and calls them through ``forward``.
    """

    networks: dict[str, nn.Module]
    optimizers: dict[str, Optimizer]
    batches_per_step: int = 1

    def initialize(self, batch: Batch) -> None:
        """Called once before the first step of a new run, with pictures of the training split, for
        layers whose first values come from data. Does nothing unless overridden."""

    def step(self, batches: Sequence[Batch], update: Update) -> Mapping[str, Tensor]:
        """One step on ``batches_per_step`` batches.

        Returns what to log by name, detached scalars on the device; the first is the one that
        people watch. Nothing here may wait for the device: no ``.item()``, no branch on a value.
        """
        raise NotImplementedError
