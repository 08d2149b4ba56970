"""The state of a run in training: its networks, optimizers, position and the weights to use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from torch import Tensor, nn

from zoo.runs.state import Best, TrainingState
from zoo.training.checkpoint import BEST, Loaded, Position, Stateful, training_state
from zoo.training.ema import ema_of

if TYPE_CHECKING:
    import torch

    from zoo.config.sections import TrainingConfig
    from zoo.model import Model
    from zoo.objectives.objective import Objective


class Weights:
    """A copy of a network's state on the CPU, which a checkpoint stores as it does a network."""

    def __init__(self, network: nn.Module) -> None:
        self.take(network)

    def take(self, network: nn.Module) -> None:
        """Copies the state of ``network``."""
        self._state: Mapping[str, Tensor] = {
            name: tensor.detach().to("cpu", copy=True)
            for name, tensor in network.state_dict().items()
        }

    def state_dict(self) -> Mapping[str, Tensor]:
        return self._state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self._state = dict(state)


class RunState:
    """The networks of ``model`` and ``objective`` in training.

    ``best`` are the weights of the best validation; None where the last ones are kept.
    """

    def __init__(self, model: Model, objective: Objective, training: TrainingConfig) -> None:
        self._model = model
        self.networks = dict(objective.networks)
        self.optimizers = objective.optimizers
        self.ema = ema_of(model.network, training.ema_decay) if training.ema_decay else None
        self.best = Weights(model.network) if training.keep == "best" else None
        self.position = Position()

    @property
    def trained(self) -> dict[str, nn.Module]:
        """The networks in training by name: those of the objective, and the EMA if any."""
        return {**self.networks, **({} if self.ema is None else {"average": self.ema})}

    @property
    def stored(self) -> Mapping[str, Stateful]:
        """The contents of a checkpoint by name: :attr:`trained`, and the best weights if kept."""
        return self.trained if self.best is None else {**self.trained, BEST: self.best}

    @property
    def final_network(self) -> nn.Module:
        """The network that is validated: the EMA, if there is one."""
        return self._model.network if self.ema is None else self.ema.module

    @property
    def best_validation(self) -> Best | None:
        """The validation that :attr:`weights` are of; None for the last weights."""
        return None if self.position.validated is None else self.position.validated.best

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """The weights to use: those of the best validation, or of the final network."""
        if self.best is None or self.best_validation is None:
            return self.final_network.state_dict()
        return self.best.state_dict()

    @contextmanager
    def used(self) -> Iterator[Model]:
        """Yields the model with :attr:`weights`; afterwards, the final network is as before."""
        network = self.final_network
        model = self._model.with_network(network)
        if self.best_validation is None:
            yield model
            return
        own = Weights(network)
        network.load_state_dict(self.weights)
        try:
            yield model
        finally:
            network.load_state_dict(own.state_dict())

    def move(self, device: torch.device) -> None:
        for network in [self._model.network, *self.trained.values()]:
            network.to(device)

    def restore(self, loaded: Loaded) -> None:
        """Loads a checkpoint."""
        loaded.restore(self.stored, self.optimizers)
        self.position = replace(loaded.position)

    def checkpoint(self) -> tuple[TrainingState, dict[str, Tensor]]:
        """Returns the plain values and the tensors of a checkpoint."""
        return training_state(self.position, self.stored, self.optimizers)
