"""The state of networks and optimizers, as the records and tensors of a checkpoint and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.optim import Optimizer

from zoo.errors import ZooError
from zoo.runs.checkpoints import TENSORS
from zoo.runs.state import Damaged, OptimizerState, Progress, TrainingState, Validated
from zoo.runs.weights import SPARE, load_tensors

MOMENTS = frozenset(
    [
        *("exp_avg", "exp_avg_sq", "exp_inf", "max_exp_avg_sq"),
        *("square_avg", "grad_avg", "momentum_buffer"),
    ]
)
"""State of torch's optimizers that has the shape of its parameter."""

SIZE_FACTOR = 8
"""Maximum size of a checkpoint's tensors, as a multiple of its networks: an optimizer keeps a few
of a parameter's size."""

BEST = "best"
"""The weights of the best validation among the networks of a checkpoint."""

ALWAYS_STATEFUL = (torch.optim.Adam, torch.optim.Adamax, torch.optim.RMSprop)


class Stateful(Protocol):
    """A network, or weights of one."""

    def state_dict(self) -> Mapping[str, Tensor]: ...

    def load_state_dict(self, state: Mapping[str, Tensor], /) -> Any: ...


@dataclass
class Position:
    """Number of steps and seconds trained so far, and the validations whose best weights are
    kept."""

    step: int = 0
    seconds: float = 0.0
    validated: Validated | None = None


def training_state(
    position: Position, networks: Mapping[str, Stateful], optimizers: Mapping[str, Optimizer]
) -> tuple[TrainingState, dict[str, Tensor]]:
    """Returns the full state of training: its plain values, and its tensors by name."""
    tensors: dict[str, Tensor] = {}
    plain: dict[str, OptimizerState] = {}
    for name, network in networks.items():
        if name == BEST and position.validated is None:
            continue
        tensors |= {f"network/{name}/{key}": t for key, t in network.state_dict().items()}
    for name, optimizer in optimizers.items():
        state = optimizer.state_dict()
        values: dict[str, dict[str, Any]] = {}
        for index, kept in state["state"].items():
            for key, value in kept.items():
                if isinstance(value, Tensor):
                    tensors[f"optimizer/{name}/{index}/{key}"] = value
                else:
                    values.setdefault(str(index), {})[key] = value
        groups = [
            {k: [*v] if isinstance(v, tuple) else v for k, v in group.items()}
            for group in state["param_groups"]
        ]
        plain[name] = OptimizerState(groups=groups, state=values)
    progress = Progress(**vars(position))
    return TrainingState(format_version=4, progress=progress, optimizers=plain), tensors


@dataclass(frozen=True)
class Loaded:
    """A checkpoint that fits the networks and optimizers it was read for, in memory."""

    position: Position
    networks: Mapping[str, Mapping[str, Tensor]]
    optimizers: Mapping[str, Mapping[str, Any]]

    def restore(
        self, networks: Mapping[str, Stateful], optimizers: Mapping[str, Optimizer]
    ) -> None:
        """Loads the state into the networks and optimizers."""
        for name, state in self.networks.items():
            networks[name].load_state_dict(state)
        for name, optimizer in optimizers.items():
            optimizer.load_state_dict(dict(self.optimizers[name]))


def load_checkpoint(
    checkpoint: Path,
    state: TrainingState,
    networks: Mapping[str, Stateful],
    optimizers: Mapping[str, Optimizer],
    own_settings: bool = False,
) -> Loaded:
    """Reads the checkpoint of ``state`` and changes nothing.

    With ``own_settings`` the optimizers keep their own, such as betas, instead of the stored ones.
    The best weights are left out where the checkpoint or ``networks`` have none: a resumed run may
    change whether they are kept.
    Raises Damaged for tensors that do not fit the networks and optimizers, or are not finite.
    """
    own = sum(t.nbytes for network in networks.values() for t in network.state_dict().values())
    try:
        tensors = load_tensors(checkpoint / TENSORS, SIZE_FACTOR * own + SPARE)
    except ZooError as error:
        reason = str(error).replace(str(checkpoint / TENSORS), TENSORS)
        raise Damaged(reason) from None
    rest = dict(tensors)
    if BEST not in networks or state.progress.validated is None:
        networks = {name: network for name, network in networks.items() if name != BEST}
        rest = {key: t for key, t in rest.items() if not key.startswith(f"network/{BEST}/")}
    loaded = {name: _of_network(name, network, rest) for name, network in networks.items()}
    if {*state.optimizers} != {*optimizers}:
        names = ", ".join(sorted({*state.optimizers} ^ {*optimizers}))
        raise Damaged(f"it does not have the optimizers of the model: {names[:80]}")
    restored = {
        name: _of_optimizer(name, optimizer, state, rest) for name, optimizer in optimizers.items()
    }
    if own_settings:
        for name, optimizer in optimizers.items():
            restored[name]["param_groups"] = optimizer.state_dict()["param_groups"]
    if rest:
        raise Damaged(f"{TENSORS} has a tensor that the model has not: {min(rest)[:80]}")
    for full, tensor in tensors.items():
        if tensor.is_floating_point() and bool(tensor.isnan().any()):
            raise Damaged(f"the tensor {full} has a NaN")
    validated = state.progress.validated if BEST in networks else None
    position = Position(state.progress.step, float(state.progress.seconds), validated)
    return Loaded(position, loaded, restored)


def _of_network(name: str, network: Stateful, rest: dict[str, Tensor]) -> dict[str, Tensor]:
    """Takes the tensors of a network from ``rest``."""
    state = {}
    for key, tensor in network.state_dict().items():
        stored = rest.pop(full := f"network/{name}/{key}", None)
        if stored is None:
            raise Damaged(f"{TENSORS} lacks the tensor {full}")
        if stored.shape != tensor.shape or stored.dtype != tensor.dtype:
            raise Damaged(
                f"the tensor {full} is {_kind(stored)}, and the network's is {_kind(tensor)}"
            )
        state[key] = stored
    return state


def _of_optimizer(
    name: str, optimizer: Optimizer, state: TrainingState, rest: dict[str, Tensor]
) -> dict[str, Any]:
    """Takes the tensors of an optimizer from ``rest``; returns its ``state_dict``."""
    stored = state.optimizers[name]
    _check_groups(name, optimizer, stored)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    values: dict[int, dict[str, Any]] = {int(i): dict(kept) for i, kept in stored.state.items()}
    prefix = f"optimizer/{name}/"
    for full in [key for key in rest if key.startswith(prefix)]:
        index, _, key = full.removeprefix(prefix).partition("/")
        if not index.isdecimal() or int(index) >= len(parameters):
            raise Damaged(f"{TENSORS} has a tensor that the model has not: {full[:80]}")
        tensor, parameter = rest.pop(full), parameters[int(index)]
        if key in MOMENTS and tensor.shape != parameter.shape:
            raise Damaged(
                f"the tensor {full} is {_kind(tensor)}, and its parameter is {_kind(parameter)}"
            )
        values.setdefault(int(index), {})[key] = _with_layout_of(parameter, tensor)
    kinds = {frozenset(kept) for kept in values.values()}
    if any(index >= len(parameters) for index in values) or len(kinds) > 1:
        raise Damaged(f"the state of the optimizer {name} is incomplete")
    trained = any(parameter.requires_grad for parameter in parameters)
    if not values and trained and state.progress.step and isinstance(optimizer, ALWAYS_STATEFUL):
        raise Damaged(f"the state of the optimizer {name} is missing")
    return {"state": values, "param_groups": [dict(group) for group in stored.groups]}


def _check_groups(name: str, optimizer: Optimizer, stored: OptimizerState) -> None:
    groups = optimizer.state_dict()["param_groups"]
    if [group.get("params") for group in stored.groups] != [group["params"] for group in groups]:
        raise Damaged(f"the optimizer {name} has other parameters than the model's")
    for group, own in zip(stored.groups, groups, strict=True):
        for key, value in group.items():
            if key not in own or not _is_alike(value, own[key]):
                raise Damaged(f"the optimizer {name} has no setting {key[:40]} = {value!r:.40}")


def _is_alike(stored: object, own: object) -> bool:
    """Whether two settings are of one kind; either may be None."""
    if isinstance(stored, list) and isinstance(own, list | tuple):
        return len(stored) == len(own)
    numbers = (int, float)
    if isinstance(stored, bool) or isinstance(own, bool):
        return isinstance(stored, bool | None) and isinstance(own, bool | None)
    return (
        stored is None
        or own is None
        or (isinstance(stored, numbers) and isinstance(own, (*numbers, Tensor)))
        or type(stored) is type(own)
    )


def _with_layout_of(parameter: Tensor, tensor: Tensor) -> Tensor:
    """Returns ``tensor`` with the memory layout of ``parameter``, which fused optimizers assume."""
    if tensor.shape != parameter.shape:
        return tensor
    return torch.empty_like(parameter, dtype=tensor.dtype, device="cpu").copy_(tensor)


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
