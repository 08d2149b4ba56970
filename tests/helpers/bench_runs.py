"""Fixtures for tests of ``zoo bench``: a run to measure, and short measurements.

A test module takes the fixtures with ``pytest_plugins = ["bench_runs"]``.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from zoo.run import Run

QUICK = ("--seconds", "0.01", "--batch-sizes", "1,2", "--device", "cpu")
TWO = ("--backend", "torch", "--backend", "onnx")


@pytest.fixture
def small_matrices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measures the limit with small matrices."""
    from zoo_onnx.bench import limit

    monkeypatch.setattr(limit, "SIZES", (32, 64))
    monkeypatch.setattr(limit, "MIN_SECONDS", 0)


@pytest.fixture
def dcgan(exported: Callable[[str], Run]) -> Run:
    """A DCGAN with exported graphs."""
    return exported("dcgan")
