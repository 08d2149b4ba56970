"""Training and scoring of flows, whose network returns latents and a log-density."""

from __future__ import annotations

from torch import Tensor, nn

from zoo.config.sections import TrainingConfig
from zoo.data.batch import Batch
from zoo.flows.from_data import initialize_from_data
from zoo.objectives import MaximumLikelihood, discrete_nats
from zoo.objectives.optimizers import Parameters


def maximum_likelihood(
    network: nn.Module,
    training: TrainingConfig,
    *,
    labels: bool = False,
    parameters: Parameters | None = None,
) -> MaximumLikelihood:
    """Returns the objective of a flow: minimize :func:`nats`, after layers such as actnorm are
    initialized from the first batch.

    ``parameters`` are those of :class:`zoo.objectives.MaximumLikelihood`, ``labels`` that of
    :func:`nats`.
    """

    def score(network: nn.Module, batch: Batch) -> Tensor:
        return nats(network, batch, labels=labels)

    def initialize(network: nn.Module, batch: Batch) -> None:
        initialize_from_data(network, lambda: score(network, batch))

    return MaximumLikelihood(network, training, score, initialize, parameters)


def nats(network: nn.Module, batch: Batch, *, labels: bool = False) -> Tensor:
    """Nats of each discrete image, ``[N]``: an upper bound on -log P(x) (Theis et al. 2016, section
    3.1).

    ``network(x)`` takes dequantized images in the unit cube, ``[N, C, S, S]``, and returns
    ``(z, log_prob)``: latents and the log-density at x in nats, ``[N]``. With ``labels=True`` it is
    called as ``network(x, labels)`` with the labels of the batch, int64 ``[N]`` or None.
    """
    inputs = (batch.dequantized, batch.labels) if labels else (batch.dequantized,)
    _, log_prob = network(*inputs)
    return discrete_nats(log_prob, batch)
