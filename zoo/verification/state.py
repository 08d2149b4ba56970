"""Checks of the weights and of the checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import torch

from zoo.errors import ZooError
from zoo.model import Model, build
from zoo.plugins.host import Host
from zoo.runs.checkpoints import find_checkpoints, verified_state
from zoo.runs.folder import CONFIG, WEIGHTS
from zoo.runs.integrity import integrity_of
from zoo.runs.loaded import config_with, settle
from zoo.runs.record import RunRecord
from zoo.runs.state import Damaged
from zoo.runs.stored import StoredRun
from zoo.runs.weights import load_weights, no_larger_than
from zoo.sampling.seeding import preserved
from zoo.system.files import sha256_of
from zoo.system.partial import remove_folder
from zoo.training.checkpoint import Loaded, load_checkpoint
from zoo.training.finite import first_bad
from zoo.training.grids import grid_paths, write_own_grid
from zoo.training.state import RunState
from zoo.verification.report import Report

CPU = torch.device("cpu")


def check_state(
    report: Report, stored: StoredRun, host: Host
) -> Mapping[str, Callable[[], object]]:
    """Checks the weights and the checkpoints of a run.

    Returns the name of the sample grid of the newest intact checkpoint, with a function that writes
    it again; empty without one.
    """
    training = stored.config.training
    model = _build(stored, host)
    state = RunState(model, model.objective(stored.config), training)
    newest = _check_checkpoints(report, state)
    if newest is not None:
        state.restore(newest)
    _check_weights(report, stored, host, None if newest is None else state)
    if newest is None:
        return {}
    step = newest.position.step
    own, _ = grid_paths(stored.folder, step)

    def write() -> None:
        with state.used() as final:
            write_own_grid(stored.folder, final, step, training.seed)

    return {own.relative_to(report.path).as_posix(): write}


def _build(stored: StoredRun, host: Host) -> Model:
    owner, weights = host.owner(stored.name), stored.path / WEIGHTS
    guard = no_larger_than(weights) if weights.exists() else nullcontext()
    with guard, preserved(CPU):
        return build(owner, stored.config.model, stored.image_spec, CPU)


def _check_checkpoints(report: Report, state: RunState) -> Loaded | None:
    """Finds damaged checkpoints; returns the newest one that is intact."""
    damaged: list[tuple[Path, str]] = []
    newest: Loaded | None = None
    for checkpoint in reversed(find_checkpoints(report.path)):
        files = sorted(path.relative_to(report.path).as_posix() for path in checkpoint.iterdir())
        report.checked(*files)
        try:
            values = verified_state(checkpoint)
            loaded = load_checkpoint(checkpoint, values, state.stored, state.optimizers)
        except Damaged as error:
            damaged.append((checkpoint, str(error)))
        else:
            newest = newest or loaded
    for checkpoint, text in damaged:
        mend = None if newest is None else partial(remove_folder, checkpoint)
        fix = "start another run with --out" if newest is None else ""
        report.problem(checkpoint.relative_to(report.path).as_posix(), text, fix, mend)
    return newest


def _check_weights(report: Report, stored: StoredRun, host: Host, state: RunState | None) -> None:
    """Compares the weights with their hash, with the network and with NaN; ``state`` is that of
    the newest checkpoint."""
    path, mend = stored.path / WEIGHTS, None
    report.checked(WEIGHTS)
    if state is not None:
        record, best = RunRecord(stored.folder, stored.document), state.best_validation
        mend = partial(record.save_weights, state.position.step, state.weights, best)
    fix = "" if mend else "use another copy of the run"
    if not path.exists():
        return report.problem(WEIGHTS, "it is missing", fix, mend)
    stated, digest = _stated(stored), sha256_of(path)
    if stated not in (None, digest):
        if config_with(report.path, digest) is None:
            return report.problem(WEIGHTS, "its SHA-256 is not that of config.json", fix, mend)
        report.problem(CONFIG, "it is older than the weights", "", partial(settle, report.path))
    network = _build(stored, host).network
    try:
        load_weights(network, path)
    except ZooError as error:
        return report.problem(WEIGHTS, str(error).replace(f"{path} ", "it "), fix, mend)
    if (tensor := first_bad({WEIGHTS: network}, {})) is not None:
        report.problem(WEIGHTS, f"the tensor {tensor} is not finite", "use another copy of the run")
    return None


def _stated(stored: StoredRun) -> str | None:
    """The hash of the weights in config.json."""
    try:
        integrity = integrity_of(stored.document)
    except Damaged:
        return None
    return None if integrity is None else integrity.weights
