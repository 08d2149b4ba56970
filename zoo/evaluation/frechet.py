"""The Fréchet distance of two sets of features: FID."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from torchmetrics.image.fid import FrechetInceptionDistance

FEWEST = 2
"""So many pictures of each set it needs, for a covariance."""


def frechet_distance(real: Tensor, drawn: Tensor) -> float:
    """|m - m'|^2 + Tr(S + S' - 2 (S S')^(1/2)) of the means and covariances of the features
    ``[N, D]`` and ``[M, D]``, float64 (Heusel et al. 2017, GANs trained by a two time-scale update
    rule converge to a local Nash equilibrium, eq. 6).

    Covariances are those of N - 1. With few pictures the distance is too large: of two sets of the
    same pictures' distribution it is about proportional to 1/N.
    """
    metric: FrechetInceptionDistance = _metric(Given(real.shape[1]))
    metric.update(real.double(), real=True)
    metric.update(drawn.double(), real=False)
    # Rounding can leave a distance of nothing just below it.
    return max(0.0, float(metric.compute()))


class Given(nn.Module):
    """A "network" whose pictures are features already, ``num_features`` of them."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        return features


def _metric(network: nn.Module) -> FrechetInceptionDistance:
    from torchmetrics.image.fid import FrechetInceptionDistance

    return FrechetInceptionDistance(network)
