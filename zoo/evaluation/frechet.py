"""The Fréchet distance of two sets of features: FID."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from torchmetrics.image.fid import FrechetInceptionDistance

MIN_IMAGES = 2
"""Minimum number of images in each set, for a covariance."""


def frechet_distance(real: Tensor, generated: Tensor) -> float:
    """Computes |m - m'|^2 + Tr(S + S' - 2 (S S')^(1/2)) of the means and covariances of features
    ``[N, D]`` and ``[M, D]``, float64 (Heusel et al. 2017, GANs trained by a two time-scale update
    rule converge to a local Nash equilibrium, eq. 6).

    Covariances are normalized by N - 1. The estimate is biased upward for small sets: for two sets
    from the same distribution it is about proportional to 1/N.
    """
    metric: FrechetInceptionDistance = _metric(PrecomputedFeatures(real.shape[1]))
    metric.update(real.double(), real=True)
    metric.update(generated.double(), real=False)
    # Rounding can make a distance of 0 slightly negative.
    return max(0.0, float(metric.compute()))


class PrecomputedFeatures(nn.Module):
    """Identity that stands in for a feature network with ``num_features`` outputs."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        return features


def _metric(network: nn.Module) -> FrechetInceptionDistance:
    from torchmetrics.image.fid import FrechetInceptionDistance

    return FrechetInceptionDistance(network)
