"""FID, KID, precision and recall against closed forms and reference implementations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import Tensor

from zoo.evaluation import kernel, neighbors
from zoo.evaluation.frechet import frechet_distance
from zoo.evaluation.kernel import kernel_distance, subsets_of
from zoo.evaluation.neighbors import precision_recall, radii


def normal(n: int, d: int, seed: int) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def standardized(n: int, d: int, seed: int) -> Tensor:
    """Samples ``[n, d]`` of exactly mean 0 and covariance I, up to rounding."""
    x = normal(n, d, seed)
    x = x - x.mean(0)
    whitening = torch.linalg.inv(torch.linalg.cholesky(x.T @ x / (n - 1)))
    return x @ whitening.T


# Fréchet


def test_frechet_distance_of_gaussians_equals_the_closed_form() -> None:
    """Diagonal covariances commute: |m - m'|^2 + sum of (s - s')^2."""
    m, n = torch.tensor([1.0, -2.0, 0.5]), torch.tensor([0.0, 1.0, 0.5])
    s, t = torch.tensor([1.0, 2.0, 0.1]), torch.tensor([0.5, 2.0, 3.0])
    real, generated = standardized(400, 3, 0) * s + m, standardized(300, 3, 1) * t + n
    expected = ((m - n).square() + (s - t).square()).sum().item()
    assert frechet_distance(real, generated) == pytest.approx(expected, rel=1e-6)


def test_frechet_distance_equals_scipys_for_covariances_that_do_not_commute() -> None:
    real = normal(200, 12, 0) @ normal(12, 12, 1) + 2
    generated = normal(150, 12, 2) @ normal(12, 12, 3)
    a, b = real.numpy(), generated.numpy()
    s, t = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    mean = np.square(a.mean(0) - b.mean(0)).sum()
    expected = mean + np.trace(s + t - 2 * sqrtm(s @ t).real)
    assert frechet_distance(real, generated) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(generated, real) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_of_a_set_to_itself_is_zero_up_to_rounding() -> None:
    """Also for constant features and features far from 0; never negative."""
    flat = normal(50, 80, 0)
    flat[:, 40:] = 3.0
    for features in (normal(500, 20, 0), normal(500, 20, 1) + 1000, flat):
        assert 0 <= frechet_distance(features, features) < 1e-4
    single = normal(500, 20, 2).float()
    assert frechet_distance(single, single) < 1e-9, "computed in float64"


# Kernel


def squared_mmd(x: Tensor, y: Tensor) -> float:
    """Unbiased estimate of Binkowski et al. 2018, sections 2 and 4, by loops."""
    d, m, n = x.shape[1], len(x), len(y)

    def k(a: Tensor, b: Tensor) -> float:
        return ((a @ b).item() / d + 1) ** 3

    within_x = sum(k(x[i], x[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    within_y = sum(k(y[i], y[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    across = sum(k(x[i], y[j]) for i in range(m) for j in range(n)) / (m * n)
    return within_x + within_y - 2 * across


def test_kernel_distance_equals_the_formula_of_the_paper() -> None:
    x, y = normal(24, 5, 0), normal(24, 5, 1) * 1.5 + 0.3
    assert subsets_of(24, 24) == (1, 24)
    value, deviation = kernel_distance(x, y)
    assert value == pytest.approx(squared_mmd(x, y), rel=1e-10)
    assert deviation == 0


def test_kernel_distance_of_subsets_is_unbiased_and_depends_on_the_seed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert subsets_of(10_000, 5_000) == (100, 1000)
    monkeypatch.setattr(kernel, "MAX_SUBSET_SIZE", 200)
    x, y = normal(400, 4, 0), normal(300, 4, 1)
    value, deviation = kernel_distance(x, y, seed=3)
    assert kernel_distance(x, y, seed=3) == (value, deviation)
    assert kernel_distance(x, y, seed=4)[0] != value
    assert abs(value) < 4 * deviation
    far, _ = kernel_distance(x, y + 1)
    assert far > 50 * abs(value)


# Neighbors


def by_loops(real: np.ndarray, generated: np.ndarray, k: int) -> tuple[float, float]:
    """Kynkäänniemi et al. 2019, eq. 1 and 2, one point at a time."""

    def in_manifold(point: np.ndarray, members: np.ndarray) -> bool:
        for i, member in enumerate(members):
            others = np.delete(members, i, axis=0)
            radius = np.sort(np.linalg.norm(others - member, axis=1))[k - 1]
            if np.linalg.norm(point - member) <= radius:
                return True
        return False

    precision = np.mean([in_manifold(point, real) for point in generated])
    recall = np.mean([in_manifold(point, generated) for point in real])
    return float(precision), float(recall)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("block", [40, 2**23])
def test_precision_and_recall_equal_those_of_loops(
    k: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbors, "BLOCK", block)  # one row per block, or all rows at once
    real, generated = normal(40, 3, 0), normal(30, 3, 1) * 0.7 + 0.8
    expected = by_loops(real.numpy(), generated.numpy(), k)
    assert 0 < expected[0] < 1
    assert 0 < expected[1] < 1
    assert precision_recall(real, generated, k) == pytest.approx(expected)


def test_radii_exclude_a_row_itself_but_not_its_copies() -> None:
    line = torch.tensor([[0.0], [1.0], [3.0], [3.0]], dtype=torch.float64)
    assert radii(line, 1).tolist() == [1, 1, 0, 0]
    assert radii(line, 2).tolist() == [3, 2, 2, 2]


def test_known_cases_of_precision_and_recall() -> None:
    real = normal(200, 4, 0)
    assert precision_recall(real, real) == (1, 1)
    assert precision_recall(real, real + 100) == (0, 0)
    two = torch.cat([real, real + 100])
    precision, recall = precision_recall(two, real)
    assert (precision, recall) == (1, 0.5), "one of two modes is missing"
    precision, recall = precision_recall(real, two)
    assert (precision, recall) == (0.5, 1), "half of the samples are far from the data"


def test_progress_counts_every_row_once() -> None:
    calls: list[tuple[int, int]] = []
    precision_recall(normal(30, 2, 0), normal(20, 2, 1), 3, lambda *args: calls.append(args))
    assert calls[-1] == (80, 80)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
