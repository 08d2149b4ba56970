"""Which classes a generator draws, in the eyes of a classifier."""

from __future__ import annotations

import numpy as np
import torch


def classes_seen(pictures: torch.Tensor, labelled: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """How many of ``pictures`` a classifier takes for each class; it has learned them from
    pictures ``[N, C, S, S]`` in [0, 1] with their labels."""
    from sklearn.linear_model import LogisticRegression

    known, labels = labelled
    judge = LogisticRegression(max_iter=200).fit(known.reshape(len(known), -1), labels)
    return np.bincount(judge.predict(pictures.flatten(1).numpy()), minlength=10)


def real(source: str, config: dict) -> tuple[np.ndarray, np.ndarray]:
    """Up to 5,000 training pictures of a source, as a run of ``config`` sees them."""
    from zoo.config import DataConfig
    from zoo.data import open_data

    split = open_data(DataConfig(**config | {"source": source})).splits["train"]
    return split.images[:5000] / np.float32(255), split.labels[:5000]
