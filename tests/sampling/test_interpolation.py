"""Interpolation of latents, in numpy, in Python and on the command line."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

import zoo
from zoo.errors import UsageError
from zoo.sampling import latents
from zoo.sampling.interpolation import interpolate


@pytest.mark.parametrize("distribution", ["normal", "uniform", "logistic"])
def test_interpolation_includes_both_endpoints_exactly(distribution) -> None:
    a, b = latents.draw(6, 50, distribution).reshape(2, 3, 50)
    path = interpolate(a, b, 7, distribution)
    assert (path.shape, path.dtype) == ((3, 7, 50), np.float32)
    np.testing.assert_array_equal(path[:, 0], a)
    np.testing.assert_array_equal(path[:, -1], b)


def test_normal_latents_are_interpolated_along_the_great_circle() -> None:
    a, b = np.float32([[3, 0]]), np.float32([[0, 3]])
    path = interpolate(a, b, 4)[0]
    angles = [math.radians(angle) for angle in (0, 30, 60, 90)]
    expected = [(3 * math.cos(angle), 3 * math.sin(angle)) for angle in angles]
    np.testing.assert_allclose(path, expected, atol=1e-6)


@pytest.mark.parametrize("distribution", ["uniform", "logistic"])
def test_other_latents_are_interpolated_linearly(distribution) -> None:
    path = interpolate(np.float32([[0, 1]]), np.float32([[1, 0]]), 3, distribution)[0]
    np.testing.assert_array_equal(path, [[0, 1], [0.5, 0.5], [1, 0]])


@pytest.mark.parametrize("b", [[2.0, 4.0], [-1.0, -2.0], [1.0, 2.0]])
def test_parallel_latents_are_interpolated_linearly(b) -> None:
    path = interpolate(np.float32([[1, 2]]), np.float32([b]), 3)[0]
    np.testing.assert_allclose(path[1], [(1 + b[0]) / 2, (2 + b[1]) / 2], atol=1e-5)


def test_latents_of_one_number_are_interpolated() -> None:
    ends = latents.draw(8, 1)
    assert np.isfinite(interpolate(ends[0::2], ends[1::2], 5)).all()


def test_the_first_and_last_image_of_a_row_are_samples(trained: zoo.Run) -> None:
    paths = trained.interpolate(rows=3, columns=4, seed=5).unflatten(0, (3, 4))
    ends = trained.sample(6, seed=5)
    assert torch.equal(paths[:, 0], ends[0::2])
    assert torch.equal(paths[:, -1], ends[1::2])


def test_no_rows_and_single_columns_are_refused(trained: zoo.Run) -> None:
    with pytest.raises(UsageError, match="rows must be at least 1, got 0"):
        trained.interpolate(0, 8)
    with pytest.raises(UsageError, match="columns must be at least 2, got 1"):
        trained.interpolate(1, 1)


@pytest.mark.parametrize(
    ("count", "rows", "columns"), [(2, 1, 2), (5, 1, 5), (8, 1, 8), (10, 2, 5), (17, 3, 6)]
)
def test_the_command_fills_whole_rows(commands, trained, here, count, rows, columns) -> None:
    arguments = ["--interpolate", "-n", count, "--seed", 3]
    assert commands("sample", trained.path, *arguments, "-o", "path.npy").status == 0
    paths = np.load("path.npy").reshape(rows, columns, 8, 8)
    ends = trained.sample(2 * rows, seed=3).numpy()[:, 0]
    np.testing.assert_array_equal(paths[:, 0], ends[0::2])
    np.testing.assert_array_equal(paths[:, -1], ends[1::2])
    assert [path.name for path in Path().iterdir()] == ["path.npy"]


def test_a_grid_has_an_interpolation_per_row(commands, trained, here) -> None:
    from PIL import Image

    arguments = ["--interpolate", "-n", 10]
    assert commands("sample", trained.path, *arguments, "-o", "path.png").status == 0
    assert Image.open("path.png").size == (5 * 72 + 8, 2 * 72 + 8)
