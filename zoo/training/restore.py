"""The checkpoint that a run resumes from: the newest one that is intact."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from torch.optim import Optimizer

from zoo.errors import ZooError
from zoo.runs.checkpoints import find_checkpoints, has_hashes, verified_state
from zoo.runs.folder import CHECKPOINTS, WEIGHTS
from zoo.runs.state import Change, Damaged
from zoo.training.checkpoint import Loaded, Stateful, load_checkpoint

if TYPE_CHECKING:
    from accelerate import Accelerator

OPTIMIZER_KEYS = frozenset(
    f"training.{key}" for key in ("learning_rate", "beta1", "beta2", "epsilon", "weight_decay")
)


def newest_intact(
    run: Path,
    networks: Mapping[str, Stateful],
    optimizers: Mapping[str, Optimizer],
    changes: Sequence[Change],
    accelerator: Accelerator,
    say: Callable[[str], None],
) -> Loaded | None:
    """Returns the newest checkpoint of a run that is intact and fits; None for a run that has
    neither checkpoints nor weights yet.

    All processes return the same. ``changes`` are those of the configuration; settings of an
    optimizer that changed at the checkpoint or later are not the checkpoint's. Raises ZooError if
    no checkpoint can be used.
    """
    from accelerate.utils import broadcast_object_list

    found: tuple[Path, Loaded] | None = None
    if accelerator.is_main_process:
        found = newest_checkpoint(run, networks, optimizers, changes, say)
    (name,) = broadcast_object_list([None if found is None else found[0].name])
    if name is None:
        return None
    if found is None:
        checkpoint = run / CHECKPOINTS / name
        found = checkpoint, _load(checkpoint, networks, optimizers, changes)
    return found[1]


def newest_checkpoint(
    run: Path,
    networks: Mapping[str, Stateful],
    optimizers: Mapping[str, Optimizer],
    changes: Sequence[Change],
    say: Callable[[str], None],
) -> tuple[Path, Loaded] | None:
    """Returns the newest checkpoint that is intact and fits, as :func:`newest_intact` in one
    process, and says why it is not a newer one."""
    checkpoints = find_checkpoints(run)
    if not checkpoints:
        if (run / WEIGHTS).exists():
            raise ZooError(
                f"{run} has weights but no checkpoint to resume from: start another run with --out"
            )
        return None
    damaged: list[str] = []
    for checkpoint in reversed(checkpoints):
        try:
            loaded = _load(checkpoint, networks, optimizers, changes)
        except Damaged as error:
            damaged.append(f"{checkpoint.name}: {error}")
            continue
        for reason in damaged:
            say(f"the checkpoint {reason}; resuming from {checkpoint.name} instead")
        if not has_hashes(checkpoint):
            say(f"{checkpoint} has no hashes, so it is not verified: an older genzoo wrote it")
        return checkpoint, loaded
    raise ZooError(
        f"no checkpoint of {run} can be used ({'; '.join(damaged)}): start another run with --out"
    )


def _load(
    checkpoint: Path,
    networks: Mapping[str, Stateful],
    optimizers: Mapping[str, Optimizer],
    changes: Sequence[Change],
) -> Loaded:
    state = verified_state(checkpoint)
    step = state.progress.step
    own = any(change.step >= step and change.key in OPTIMIZER_KEYS for change in changes)
    return load_checkpoint(checkpoint, state, networks, optimizers, own)
