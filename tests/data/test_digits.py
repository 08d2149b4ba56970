"""The digits in the package, and the imports of zoo.data."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from project import ROOT

from zoo.config.sections import DataConfig
from zoo.data import ResidentSplit, open_data


def test_digits_equal_those_of_scikit_learn() -> None:
    load_digits = pytest.importorskip("sklearn.datasets").load_digits
    reference = load_digits()
    images = (reference.images.astype(int) * 255 // 16)[:, None]
    data = open_data(DataConfig(split_rule="position"))
    for name, selected in {
        "test": np.arange(1797) % 20 == 9,
        "validation": np.arange(1797) % 20 == 19,
        "train": np.arange(1797) % 10 != 9,
    }.items():
        split = data.splits[name]
        assert isinstance(split, ResidentSplit)
        np.testing.assert_array_equal(split.images, images[selected])
        np.testing.assert_array_equal(split.labels, reference.target[selected])
    assert data.image_spec.classes == 10
    assert data.image_spec.class_names[3] == "3"
    assert data.license == "CC BY 4.0"
    assert data.name == "digits"


def test_importing_the_package_loads_no_heavy_library() -> None:
    code = (
        "import sys, zoo.data; "
        "print([m for m in ('numpy', 'torch', 'PIL', 'datasets', 'pyarrow') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
