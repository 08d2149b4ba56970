"""Training: objectives for plugins to build on, and the loop that runs them."""

from zoo.training.likelihood import MaximumLikelihood, discrete_nats
from zoo.training.objective import Objective, Update
from zoo.training.optimizers import make_optimizer

__all__ = ["MaximumLikelihood", "Objective", "Update", "discrete_nats", "make_optimizer"]
