"""The digits in the package, and what importing zoo.data costs."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from project import ROOT

from zoo.config.sections import DataConfig
from zoo.data import ResidentSplit, open_data


def test_digits_equal_scikit_learns() -> None:
    load_digits = pytest.importorskip("sklearn.datasets").load_digits
    theirs = load_digits()
    images = (theirs.images.astype(int) * 255 // 16)[:, None]
    data = open_data(DataConfig())
    for name, chosen in {
        "test": np.arange(1797) % 20 == 9,
        "validation": np.arange(1797) % 20 == 19,
        "train": np.arange(1797) % 10 != 9,
    }.items():
        split = data.splits[name]
        assert isinstance(split, ResidentSplit)
        np.testing.assert_array_equal(split.images, images[chosen])
        np.testing.assert_array_equal(split.labels, theirs.target[chosen])
    assert data.image.classes == 10
    assert data.class_names[3] == "3"
    assert data.license == "CC BY 4.0"
    assert data.name == "digits"


def test_importing_the_package_is_cheap() -> None:
    code = (
        "import sys, zoo.data; "
        "print([m for m in ('numpy', 'torch', 'PIL', 'datasets', 'pyarrow') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
