"""The check that a training state is finite, before any of it is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from zoo.config.sections import TrainingConfig
from zoo.errors import ZooError
from zoo.runs.checkpoints import find_checkpoints

if TYPE_CHECKING:
    from accelerate import Accelerator


def first_not_finite(
    networks: Mapping[str, nn.Module],
    optimizers: Mapping[str, Optimizer],
    accelerator: Accelerator,
) -> str | None:
    """Returns the name of the first parameter, buffer or state of an optimizer that is not finite
    in any process.

    Buffers may be infinite, as masks are. Waits for the device once.
    """
    from accelerate.utils import gather_object

    bad = first_bad(networks, optimizers)
    if accelerator.num_processes == 1:
        return bad
    return next((name for name in gather_object([bad]) if name is not None), None)


def first_bad(networks: Mapping[str, nn.Module], optimizers: Mapping[str, Optimizer]) -> str | None:
    """:func:`first_not_finite` in this process."""
    named = dict(_checked(networks, optimizers))
    if not named or bool(_finite([*named.values()]).item()):
        return None
    return next(name for name, tensor in named.items() if not bool(_finite([tensor]).item()))


def not_finite(what: str, step: int, run: Path, training: TrainingConfig) -> ZooError:
    """Returns the error for a loss or a tensor that is not finite, with the way on."""
    checkpoints = find_checkpoints(run)
    settings = f"a clip_norm, more warmup_steps or a learning_rate below {training.learning_rate:g}"
    if not checkpoints:
        way = f"no checkpoint yet: start another run with {settings}"
    else:
        way = f"the last checkpoint is {checkpoints[-1]}: --resume with --set {settings}"
    return ZooError(f"{what} is not finite at step {step}; {way}")


@torch.no_grad()
def _finite(tensors: list[Tensor]) -> Tensor:
    """Whether all tensors are finite, as a tensor on the device of the first."""
    groups: dict[tuple[torch.device, torch.dtype], list[Tensor]] = {}
    for tensor in tensors:
        groups.setdefault((tensor.device, tensor.dtype), []).append(tensor)
    norms = [torch.stack(torch._foreach_norm(group, float("inf"))) for group in groups.values()]
    device = tensors[0].device
    return torch.stack([norm.isfinite().all().to(device) for norm in norms]).all()


def _checked(
    networks: Mapping[str, nn.Module], optimizers: Mapping[str, Optimizer]
) -> Iterator[tuple[str, Tensor]]:
    names: dict[Tensor, str] = {}
    for name, network in networks.items():
        for key, parameter in network.named_parameters():
            names.setdefault(parameter, f"{name}.{key}")
        for key, buffer in network.named_buffers():
            if buffer.is_floating_point() and buffer.numel():
                # An infinity becomes finite, a NaN stays one.
                yield f"{name}.{key}", buffer.clamp(-1, 1)
    for tensor, name in names.items():
        if tensor.numel():
            yield name, tensor.detach()
    for name, optimizer in optimizers.items():
        for tensor, state in optimizer.state.items():
            for key, value in state.items():
                if isinstance(value, Tensor) and value.is_floating_point() and value.numel():
                    yield f"{key} of {names.get(tensor, name)}", value
