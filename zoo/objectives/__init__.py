"""Objectives and optimizers for plugins."""

from zoo.objectives.maximum_likelihood import MaximumLikelihood, discrete_nats
from zoo.objectives.objective import Objective, Update
from zoo.objectives.optimizers import make_optimizer

__all__ = ["MaximumLikelihood", "Objective", "Update", "discrete_nats", "make_optimizer"]
