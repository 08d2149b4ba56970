"""The files of checkpoints: ``checkpoints/step-N`` with the full training state, and hashes."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.runs.folder import CHECKPOINTS, CONFIG
from zoo.runs.integrity import sha256
from zoo.runs.state import (
    Damaged,
    Manifest,
    Stored,
    TrainingState,
    plain,
    read_json,
    read_record,
)
from zoo.runs.weights import serialized
from zoo.system.files import as_json, sha256_of, write_folder
from zoo.system.partial import remove_folder

if TYPE_CHECKING:
    from torch import Tensor

STATE = "state.json"
TENSORS = "state.safetensors"
MANIFEST = "manifest.json"
FILES = (TENSORS, STATE, CONFIG)
"""The files that the manifest of a checkpoint lists."""

KEPT = 2

_NAME = re.compile(r"step-(\d{8,})")


def find_checkpoints(run: Path) -> list[Path]:
    """Returns the checkpoints of a run, oldest first."""
    paths = (run / CHECKPOINTS).glob("step-*")
    return sorted((path for path in paths if _NAME.fullmatch(path.name)), key=step_of)


def step_of(checkpoint: Path) -> int:
    """Returns the step of a checkpoint, by its name."""
    return int(checkpoint.name.removeprefix("step-"))


def write_checkpoint(
    run: Path, state: TrainingState, tensors: Mapping[str, Tensor], config: Mapping[str, Any]
) -> None:
    """Writes the checkpoint of ``state`` and its manifest, and removes all but the newest two.

    ``config`` is the contents of config.json. Later checkpoints, which were found damaged when the
    run was resumed, are removed too.
    """
    step = state.progress.step
    target = run / CHECKPOINTS / f"step-{step:08d}"
    files = {
        TENSORS: serialized(tensors),
        STATE: as_json(plain(state)),
        CONFIG: as_json(config),
    }
    write_folder(target, files | {MANIFEST: as_json(_manifest(step, files))})
    for path in find_checkpoints(run):
        if step_of(path) > step:
            _remove(path)
    remove_older(run, step)


def remove_older(run: Path, step: int) -> None:
    """Removes the checkpoints up to ``step`` but the newest two of them."""
    for path in [path for path in find_checkpoints(run) if step_of(path) <= step][:-KEPT]:
        _remove(path)


def _remove(checkpoint: Path) -> None:
    with contextlib.suppress(OSError):  # the next checkpoint tries again
        remove_folder(checkpoint)


def _manifest(step: int, files: Mapping[str, bytes]) -> Mapping[str, Any]:
    """Returns the manifest of a checkpoint with ``files``."""
    stored = {name: Stored(bytes=len(data), sha256=sha256(data)) for name, data in files.items()}
    return plain(Manifest(step=step, files=stored))


def verified_state(checkpoint: Path) -> TrainingState:
    """Returns the plain values of a checkpoint, all of whose files have their hashes.

    Those of format version 3 and older have none, and are only parsed: see :func:`has_hashes`.
    Raises Damaged, which names the file.
    """
    if has_hashes(checkpoint):
        check_files(checkpoint)
    state = read_record(checkpoint / STATE, TrainingState)
    if checkpoint.name != f"step-{state.progress.step:08d}":
        raise Damaged(f"{STATE} is damaged: it is of step {state.progress.step}")
    if state.format_version is not None and not has_hashes(checkpoint):
        raise Damaged(f"{MANIFEST} is missing")
    return state


def has_hashes(checkpoint: Path) -> bool:
    """Whether a checkpoint has a manifest."""
    return (checkpoint / MANIFEST).exists()


def check_files(checkpoint: Path) -> None:
    """Raises Damaged, which names the file, unless a checkpoint is as its manifest says."""
    manifest = read_record(checkpoint / MANIFEST, Manifest)
    if checkpoint.name != f"step-{manifest.step:08d}" or {*manifest.files} != {*FILES}:
        raise Damaged(f"{MANIFEST} is damaged: it is of another checkpoint")
    for name, stored in manifest.files.items():
        path = checkpoint / name
        try:
            size = path.stat().st_size
            if size != stored.bytes:
                raise Damaged(f"{name} is damaged: it has {size:,} bytes, not {stored.bytes:,}")
            if sha256_of(path) != stored.sha256:
                raise Damaged(f"{name} is damaged: its SHA-256 is not that of {MANIFEST}")
        except FileNotFoundError:
            raise Damaged(f"{name} is missing") from None
        except OSError as error:
            raise Damaged(f"{name} cannot be read: {error.strerror or error}") from None


def config_at(checkpoint: Path) -> dict[str, Any] | None:
    """Returns the config.json of a checkpoint; None if it has none that is intact."""
    try:
        stored = read_record(checkpoint / MANIFEST, Manifest).files[CONFIG]
        if sha256_of(checkpoint / CONFIG) != stored.sha256:
            return None
        values = read_json(checkpoint / CONFIG)
    except (Damaged, KeyError, OSError):
        return None
    return values if isinstance(values, dict) else None
