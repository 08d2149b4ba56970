"""What `zoo evaluate` measures: metrics of a run, each with the protocol that it was counted by.

A module a subject: :mod:`~zoo.evaluation.metrics` what a metric is and how metrics.json keeps it,
:mod:`~zoo.evaluation.likelihood` nats and bits, :mod:`~zoo.evaluation.frechet`,
:mod:`~zoo.evaluation.kernel` and :mod:`~zoo.evaluation.neighbors` distances between two sets of
features, :mod:`~zoo.evaluation.features` where features come from, and
:mod:`~zoo.evaluation.measure` all of it for one run. Importing this package loads no torch.
"""

from zoo.evaluation.metrics import Evaluation, Metric, Protocol

__all__ = ["Evaluation", "Metric", "Protocol"]
