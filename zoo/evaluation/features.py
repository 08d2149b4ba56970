"""Features of images, computed by a network."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.errors import ZooError

BATCH_SIZE = 100


@dataclass(frozen=True)
class FeatureNetwork:
    """A feature extractor; ``extract`` computes features ``[N, D]`` of images ``[N, C, S, S]`` in
    [0, 1].

    ``name`` identifies it, ``suffix`` is appended to the names of its metrics, ``method`` describes
    it for the protocol, and ``accuracy`` is the test accuracy of a classifier.
    """

    name: str
    suffix: str
    method: str
    extract: Callable[[Tensor], Tensor]
    accuracy: float | None = None


def features_of(
    network: FeatureNetwork,
    batches: Iterable[Tensor],
    name: Callable[[int], str],
    progress: Callable[[int], None],
) -> Tensor:
    """Returns the features of batches of images, float64 ``[N, D]`` on the CPU.

    ``name(i)`` describes image i in errors; ``progress`` receives the number of images done. Raises
    ZooError, naming the first image, for features that are not finite.
    """
    parts: list[Tensor] = []
    done = 0
    for batch in batches:
        features = network.extract(batch).flatten(1).cpu().double()
        if bad := first_bad(features):
            raise ZooError(
                f"{name(done + bad - 1)} has features that are not finite, by {network.name}: "
                "pass another network with --features"
            )
        parts.append(features)
        done += len(features)
        progress(done)
    return torch.cat(parts)


def first_bad(values: Tensor) -> int:
    """Returns the number, from 1, of the first row ``[N, ...]`` that is not finite; else 0."""
    bad = ~values.flatten(1).isfinite().all(1)
    return int(bad.nonzero()[0].item()) + 1 if bool(bad.any()) else 0
