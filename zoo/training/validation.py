"""Validation in training: when and what it measures, and the weights of the best one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from zoo.config.sections import TrainingConfig
from zoo.errors import UsageError
from zoo.evaluation.likelihood import validation_bits_per_dim
from zoo.evaluation.measure import Plan, evaluate, no_distance
from zoo.runs.folder import VALIDATION
from zoo.runs.state import Best, Validated
from zoo.system.progress import Progress

if TYPE_CHECKING:
    from zoo.data.dataset import Dataset
    from zoo.model import Model
    from zoo.training.state import RunState

FID_IMAGES = 1000
"""Maximum number of images of the validation split, and of samples, for FID-CNN."""


class Validation:
    """The validations of a run."""

    def __init__(
        self, model: Model, data: Dataset, training: TrainingConfig, state: RunState
    ) -> None:
        self._model, self._data, self._training, self._state = model, data, training, state
        self._every = training.validate_every or training.checkpoint_every

    def is_due(self, step: int) -> bool:
        return step % self._every == 0

    def prepare(self, progress: Progress) -> None:
        """Trains the feature network of FID-CNN, unless it is in the cache."""
        if self._training.validate == "fid":
            from zoo.evaluation.classifier import classifier_features

            classifier_features(self._data, self._model.device, progress)

    def measure(self, counts: bool) -> dict[str, float]:
        """Returns the metrics of the final network by name, that of ``training.validate`` last;
        empty if nothing can be measured.

        If it ``counts`` and is the best so far, its weights are kept. The noise and the latents are
        the same each time.
        """
        model, seed = self._model.with_network(self._state.final_network), self._training.seed
        values = {}
        if (bits := validation_bits_per_dim(model, self._data, seed)) is not None:
            values[f"{VALIDATION}bits_per_dim"] = bits
        if self._training.validate == "fid":
            plan = Plan("validation", seed, ("fid",), images=FID_IMAGES)
            (metric,) = evaluate(model, self._data, plan, "").metrics
            values[VALIDATION + metric.name] = metric.value
        if counts and values and self._state.best is not None:
            self._compare(*list(values.items())[-1])
        return values

    def _compare(self, metric: str, value: float) -> None:
        position, best = self._state.position, self._state.best_validation
        better = best is None or best.metric != metric or value < best.value
        if better and math.isfinite(value):
            assert self._state.best is not None
            self._state.best.take(self._state.final_network)
            best = Best(step=position.step, metric=metric, value=value)
            position.validated = Validated(best=best)
        elif position.validated is not None:
            since = position.validated.since + 1
            position.validated = position.validated.model_copy(update={"since": since})

    @property
    def is_exhausted(self) -> bool:
        """Whether ``training.patience`` validations brought no better one."""
        patience, validated = self._training.patience, self._state.position.validated
        return validated is not None and patience is not None and validated.since >= patience

    @property
    def exhausted_text(self) -> str:
        """The sentence on an early stop."""
        position = self._state.position
        assert position.validated is not None
        best, since = position.validated.best, position.validated.since
        return (
            f"stopped at step {position.step}, {since} validation{'s' * (since > 1)} after {best}"
        )


def with_keep_chosen(
    training: TrainingConfig, model: Model, data: Dataset, resumed: bool
) -> TrainingConfig:
    """Returns the settings with ``training.keep`` best or last; ``auto`` is best where validation
    measures something, and last for a ``resumed`` run, which is older than the setting.

    Raises UsageError for settings that need a validation where there is none.
    """
    reason = _unmeasured(training, model, data)
    if training.validate == "fid" and reason:
        raise UsageError(f"training.validate = fid: {reason}")
    keep = training.keep
    if keep == "auto":
        keep = "last" if reason or resumed else "best"
    elif keep == "best" and reason:
        raise UsageError(f"training.keep = best: {reason}: set training.keep to last")
    if training.patience is not None and keep == "last":
        cause = reason if training.keep == "auto" and reason else "the last weights are kept"
        raise UsageError(f"training.patience = {training.patience}: {cause}: leave it out")
    return training.model_copy(update={"keep": keep})


def _unmeasured(training: TrainingConfig, model: Model, data: Dataset) -> str:
    """Returns why validation measures nothing; empty if it does."""
    if not len(data.splits["validation"]):
        return f"{data.name} has no validation split"
    if training.validate == "fid":
        return no_distance(data, Plan("validation", images=FID_IMAGES), ["fid"])
    if model.scores:
        return ""
    return f"{model.name} has no likelihood, and training.validate is not fid"
