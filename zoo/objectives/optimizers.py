"""Optimizers from the configuration, and the schedule of the learning rate."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from zoo.config.sections import TrainingConfig

Parameters = Iterable[Tensor] | Iterable[dict[str, Any]]
"""Tensors, or groups of tensors with their own settings."""


def make_optimizer(
    parameters: Parameters, training: TrainingConfig, learning_rate: float | None = None
) -> Optimizer:
    """Returns the optimizer of ``training`` for ``parameters``; a group's own settings, such as
    ``weight_decay``, take precedence."""
    groups: Any = list(parameters)
    rate = training.learning_rate if learning_rate is None else learning_rate
    betas = (training.beta1, training.beta2)
    eps, decay = training.epsilon, training.weight_decay
    if training.optimizer == "adamax":
        return torch.optim.Adamax(groups, lr=rate, betas=betas, eps=eps, weight_decay=decay)
    if training.optimizer == "rmsprop":
        return torch.optim.RMSprop(
            groups,
            lr=rate,
            alpha=training.beta2,
            momentum=training.beta1,
            eps=eps,
            weight_decay=decay,
        )
    return torch.optim.Adam(groups, lr=rate, betas=betas, eps=eps, weight_decay=decay, fused=True)


def rate_factor(training: TrainingConfig, step: int, progress: float) -> float:
    """Returns the factor of the learning rate at ``step`` (from 0) and ``progress`` (0 to 1) of the
    run: linear warm-up times decay."""
    warmup = min(1.0, (step + 1) / training.warmup_steps) if training.warmup_steps else 1.0
    if training.decay == "linear":
        return warmup * (1 - progress)
    if training.decay == "cosine":
        return warmup * (1 + math.cos(math.pi * progress)) / 2
    return warmup
