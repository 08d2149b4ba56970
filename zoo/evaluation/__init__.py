"""Metrics of ``zoo evaluate``, each with its protocol.

:mod:`~zoo.evaluation.metrics` defines a metric and metrics.json, :mod:`~zoo.evaluation.likelihood`
nats and bits, :mod:`~zoo.evaluation.frechet`, :mod:`~zoo.evaluation.kernel` and
:mod:`~zoo.evaluation.neighbors` distances between two sets of features,
:mod:`~zoo.evaluation.features` feature networks, and :mod:`~zoo.evaluation.measure` evaluates a
run. Importing this package does not import torch.
"""

from zoo.evaluation.metrics import Evaluation, Metric, Protocol

__all__ = ["Evaluation", "Metric", "Protocol"]
