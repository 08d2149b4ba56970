"""Optimizers from the configuration, and the course of the learning rate."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from zoo.config.sections import TrainingConfig

Parameters = Iterable[Tensor] | Iterable[dict[str, Any]]
"""What an optimizer takes: tensors, or groups of them, each with settings of its own."""


def make_optimizer(
    parameters: Parameters, training: TrainingConfig, learning_rate: float | None = None
) -> Optimizer:
    """The optimizer that ``training`` describes, over ``parameters``; what a group of them says
    itself, its ``weight_decay`` for one, counts for the group."""
    ready: Any = list(parameters)
    rate = training.learning_rate if learning_rate is None else learning_rate
    betas = (training.beta1, training.beta2)
    eps, decay = training.epsilon, training.weight_decay
    if training.optimizer == "adamax":
        return torch.optim.Adamax(ready, lr=rate, betas=betas, eps=eps, weight_decay=decay)
    if training.optimizer == "rmsprop":
        return torch.optim.RMSprop(
            ready,
            lr=rate,
            alpha=training.beta2,
            momentum=training.beta1,
            eps=eps,
            weight_decay=decay,
        )
    return torch.optim.Adam(ready, lr=rate, betas=betas, eps=eps, weight_decay=decay, fused=True)


def rate_factor(training: TrainingConfig, step: int, progress: float) -> float:
    """What the learning rate is multiplied by at ``step`` (from 0), ``progress`` (0 to 1) of the
    run being done: linear warm-up times the decay."""
    warm = min(1.0, (step + 1) / training.warmup_steps) if training.warmup_steps else 1.0
    if training.decay == "linear":
        return warm * (1 - progress)
    if training.decay == "cosine":
        return warm * (1 + math.cos(math.pi * progress)) / 2
    return warm
