"""Runs at a glance: what their folders say without torch, their plugins or their tensors."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from zoo.errors import ZooError
from zoo.runs.checkpoints import STATE, find_checkpoints, step_of
from zoo.runs.find import size_of
from zoo.runs.folder import (
    CHECKPOINTS,
    CONFIG,
    METRICS,
    VALIDATION,
    WEIGHTS,
    RunFolder,
    numbers,
)
from zoo.runs.integrity import integrity_of, is_unchanged
from zoo.runs.lock import is_locked
from zoo.runs.log import skim_log
from zoo.runs.state import MAX_STEP, Damaged, TrainingState, read_record
from zoo.runs.upgrade import upgraded_config
from zoo.runs.weights import check_complete

State = Literal["training", "stopped", "finished", "damaged"]

_ROUNDING = {"step": 0.0, "epoch": 5e-5, "seconds": 5e-4}
"""The rounding of the values of a line of metrics.jsonl that are compared with a limit."""


@dataclass(frozen=True)
class Best:
    """The best value of a metric, of the weights after ``step`` steps; None if that is unknown."""

    name: str
    value: float
    step: int | None = None


@dataclass(frozen=True)
class Glance:
    """The state of a run folder; None where the folder does not say.

    ``state`` is ``"training"`` if a live process trains the run, ``"damaged"`` if its files are not
    as genzoo wrote them, for ``reason``, else ``"finished"`` if it has reached a limit of its
    configuration, and ``"stopped"`` if it has not. ``best`` is the lowest logged validation metric,
    without one the first metric of ``zoo evaluate``. ``updated`` is the time of the last change of
    its files in seconds since 1970, ``bytes`` their size.
    """

    path: Path
    state: State
    reason: str | None
    model: str | None
    data: str | None
    step: int | None
    best: Best | None
    updated: float | None
    bytes: int


def glance(path: Path) -> Glance:
    """Returns what stands in the run folder ``path``; never raises for its contents."""
    training, run, reason = is_locked(path), RunFolder(path), None
    document: Mapping[str, Any] = {}
    validated: Sequence[Mapping[str, Any]] = ()
    last: Mapping[str, Any] | None = None
    state: State = "stopped"
    try:
        document = run.read_document()
        validated, last = skim_log(path / METRICS, f'"{VALIDATION}')
        _check(path, document)
        if is_finished(path, upgraded_config(document), last):
            state = "finished"
    except (ZooError, OSError) as error:
        state = "damaged"
        reason = str(error).replace(f"{path}/", "").replace(f"{path} ", "it ")
        reason = reason.removeprefix("it is not a run folder: ")
    values = upgraded_config(document) if document else {}
    return Glance(
        path=path,
        state="training" if training else state,
        reason=None if training else reason,
        model=_text(values, "model"),
        data=_text(values, "config", "data", "source"),
        step=None if last is None else min(last["step"], MAX_STEP),
        best=_best(validated) or _measured(run, document),
        updated=_updated(path),
        bytes=size_of(path),
    )


def _check(path: Path, document: Mapping[str, Any]) -> None:
    """Raises ZooError unless config.json is unchanged and the weights that it states are whole."""
    if not is_unchanged(document):
        raise Damaged(f"{CONFIG} was changed since genzoo wrote it")
    integrity = integrity_of(document)
    if (integrity is not None and integrity.weights is not None) or (path / WEIGHTS).exists():
        check_complete(path / WEIGHTS)


def is_finished(path: Path, values: Mapping[str, Any], last: Mapping[str, Any] | None) -> bool:
    """Whether the last line of the log has reached a limit of the configuration, or its patience is
    exhausted, and the run was not killed before its checkpoint."""
    config = values.get("config")
    training = config.get("training") if isinstance(config, dict) else None
    if last is None or not isinstance(training, dict):
        return False
    checkpoints = find_checkpoints(path)
    if checkpoints and step_of(checkpoints[-1]) < last["step"]:
        return False
    limits, reached = numbers(training), numbers(last)
    if checkpoints and _validations_since_best(checkpoints[-1]) >= limits.get("patience", math.inf):
        return True
    limits["seconds"] = limits.get("minutes", math.inf) * 60
    return any(
        reached.get(name, -math.inf) >= limits.get(limit, math.inf) - _ROUNDING[name]
        for name, limit in (("step", "steps"), ("epoch", "epochs"), ("seconds", "seconds"))
    )


def _validations_since_best(checkpoint: Path) -> int:
    try:
        validated = read_record(checkpoint / STATE, TrainingState).progress.validated
    except Damaged:
        return 0
    return 0 if validated is None else validated.since


def _best(validated: Sequence[Mapping[str, Any]]) -> Best | None:
    """The lowest value of the first metric that is validated."""
    name, best = None, None
    for line in validated:
        values = numbers(line)
        name = name or next((key for key in values if key.startswith(VALIDATION)), None)
        if name in values and (best is None or values[name] < best.value):
            best = Best(name.removeprefix(VALIDATION), values[name], line["step"])
    return best


def _measured(run: RunFolder, document: Mapping[str, Any]) -> Best | None:
    """The first metric of ``zoo evaluate`` for the weights of the run."""
    from zoo.evaluation.metrics import read_evaluation

    try:
        integrity, evaluation = integrity_of(document), read_evaluation(run.path)
        digest = run.weights_digest() if integrity is None else integrity.weights
    except (ZooError, OSError):
        return None
    if (
        evaluation is None
        or not evaluation.metrics
        or not (digest or "").startswith(evaluation.weights or "-")
    ):
        return None
    metric = evaluation.metrics[0]
    return Best(metric.name, metric.value)


def _text(values: Any, *keys: str) -> str | None:
    for key in keys:
        values = values.get(key) if isinstance(values, dict) else None
    return values if isinstance(values, str) else None


def _updated(path: Path) -> float | None:
    times = []
    for name in (METRICS, WEIGHTS, CONFIG, CHECKPOINTS):
        with contextlib.suppress(OSError):
            times.append((path / name).lstat().st_mtime)
    return max(times, default=None)
