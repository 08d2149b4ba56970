"""Features of images, by a network."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.errors import ZooError

BATCH_SIZE = 100


@dataclass(frozen=True)
class FeatureNetwork:
    """``extract`` gives features ``[N, D]`` of pictures ``[N, C, S, S]`` in [0, 1].

    ``name`` tells it from any other, ``suffix`` follows the names of its metrics, ``method`` says
    in words what it is, ``accuracy`` is the part of test pictures whose class it knows, if it has
    one.
    """

    name: str
    suffix: str
    method: str
    extract: Callable[[Tensor], Tensor]
    accuracy: float | None = None


def features_of(
    network: FeatureNetwork,
    pictures: Iterable[Tensor],
    name: Callable[[int], str],
    progress: Callable[[int], None],
) -> Tensor:
    """The features of batches of pictures, float64 ``[N, D]`` on the CPU.

    ``name`` says what picture i is called; ``progress`` is told how many are done. Raises ZooError,
    naming the first picture, for features that are not finite.
    """
    found: list[Tensor] = []
    done = 0
    for batch in pictures:
        features = network.extract(batch).flatten(1).cpu().double()
        if bad := first_bad(features):
            raise ZooError(
                f"{name(done + bad - 1)} has features that are not finite, by {network.name}: "
                "give another network with --features"
            )
        found.append(features)
        done += len(features)
        progress(done)
    return torch.cat(found)


def first_bad(values: Tensor) -> int:
    """The number, from 1, of the first row ``[N, ...]`` with a value that is not finite; else 0."""
    bad = ~values.flatten(1).isfinite().all(1)
    return int(bad.nonzero()[0].item()) + 1 if bool(bad.any()) else 0
