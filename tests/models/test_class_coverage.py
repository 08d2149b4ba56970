"""Games leave no class of their data out, in the eyes of a classifier."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

import zoo
from zoo.api import host


def classes_seen(pictures: torch.Tensor, labeled: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """How many of ``pictures`` a classifier takes for each class; it has learned them from
    pictures ``[N, C, S, S]`` in [0, 1] with their labels."""
    from sklearn.linear_model import LogisticRegression

    known, labels = labeled
    judge = LogisticRegression(max_iter=200).fit(known.reshape(len(known), -1), labels)
    return np.bincount(judge.predict(pictures.flatten(1).numpy()), minlength=10)


def real(source: str, config: dict) -> tuple[np.ndarray, np.ndarray]:
    """Up to 5,000 training pictures of a source, as a run of ``config`` sees them."""
    from zoo.config.sections import DataConfig
    from zoo.data import open_data

    split = open_data(DataConfig(**config | {"source": source})).splits["train"]
    return split.images[:5000] / np.float32(255), split.labels[:5000]


@pytest.mark.parametrize(("model", "steps"), [("dcgan", 1000), ("sngan", 200)])
def test_digits_of_every_class_are_drawn(model: str, steps: int, tmp_path: Path) -> None:
    run = zoo.train(model, steps=steps, out=tmp_path / "run", quiet=True)
    seen = classes_seen(run.sample(500), real("digits", {"bits": 4}))
    assert (seen >= 5).all(), seen


@pytest.mark.slow
@pytest.mark.parametrize("model", ["dcgan", "sngan"])
def test_twenty_minutes_of_fashion_do_not_collapse(model: str, tmp_path: Path) -> None:
    """On the folder of parquet files that ZOO_TEST_FASHION_MNIST names."""
    source = os.environ.get("ZOO_TEST_FASHION_MNIST")
    if not source:
        pytest.skip("no data: set ZOO_TEST_FASHION_MNIST to a folder of Fashion-MNIST")
    run = zoo.train(
        model, preset="mnist", data=source, minutes=20, out=tmp_path / "run", quiet=True
    )
    data = dict(host().spec(model).presets["mnist"]["data"])
    seen = classes_seen(run.sample(1000), real(source, data))
    assert (seen >= 10).sum() >= 9, seen
