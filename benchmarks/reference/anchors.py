"""What the distances are for pictures that no model drew: real ones, and noise.

Counted as ``zoo evaluate`` counts them, in the same features, with as many pictures: what a perfect
model would get, about, and what a model gets that knows nothing but the number of pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from zoo.data.batches import in_order
from zoo.data.dataset import Dataset
from zoo.data.quantize import to_images, to_levels
from zoo.data.survey import spread
from zoo.evaluation.classifier import classifier_features
from zoo.evaluation.features import BATCH_SIZE, FeatureNetwork, features_of
from zoo.evaluation.frechet import frechet_distance
from zoo.evaluation.kernel import kernel_distance, subsets_of
from zoo.evaluation.measure import MAX_SAMPLES
from zoo.evaluation.neighbors import NEIGHBORS, precision_recall
from zoo.system.progress import Progress

REAL, NOISE = "real pictures", "noise"


def anchors(data: Dataset, device: torch.device, progress: Progress) -> list[dict[str, Any]]:
    """An entry of results.json for each of the two: training pictures, evenly spread over their
    split, and levels drawn uniformly with seed 0, against the test split."""
    network = classifier_features(data, device, progress)
    test = len(data.splits["test"])
    count = min(test, MAX_SAMPLES)
    batches = in_order(data.splits["test"], data.image_spec, BATCH_SIZE, device)
    real = _features(network, (batch.images for batch in batches), "test pictures", test, progress)
    subsets, size = subsets_of(len(real), count)
    how = (
        f"against {test:,} pictures of the test split of {data.name}, {network.method}; KID over "
        f"{subsets} subset{'s' * (subsets > 1)} of {size:,}, precision and recall by the "
        f"k = {NEIGHBORS} nearest neighbors"
    )
    found = []
    for kind, pictures, what in (
        (REAL, _training_pictures(data, count), "pictures of the training split, evenly spread"),
        (NOISE, _noise(data, count), "pictures of levels drawn uniformly, seed 0"),
    ):
        drawn = _features(network, pictures, kind, count, progress)
        kid, deviation = kernel_distance(real, drawn)
        precision, recall = precision_recall(real, drawn)
        found.append(
            {
                "kind": kind,
                "pictures": len(drawn),
                "features": network.name,
                "protocol": f"{len(drawn):,} {what}, {how}",
                "fid_cnn": frechet_distance(real, drawn),
                "kid_cnn": kid,
                "kid_cnn_deviation": deviation,
                "precision_cnn": precision,
                "recall_cnn": recall,
            }
        )
    return found


def _features(
    network: FeatureNetwork, pictures: Iterator[Tensor], what: str, total: int, progress: Progress
) -> Tensor:
    return features_of(
        network,
        pictures,
        lambda i: f"picture {i} of the {what}",
        lambda done: progress.show(f"looking at {what}", done, total),
    )


def _training_pictures(data: Dataset, count: int) -> Iterator[Tensor]:
    split, bits = data.splits["train"], data.image_spec.bits
    for part in torch.from_numpy(spread(len(split), count)).split(BATCH_SIZE):
        pictures = torch.stack([torch.from_numpy(split[int(i)][0]) for i in part])
        yield to_images(to_levels(pictures, bits), bits)


def _noise(data: Dataset, count: int) -> Iterator[Tensor]:
    image = data.image_spec
    generator = torch.Generator().manual_seed(0)
    for first in range(0, count, BATCH_SIZE):
        shape = (min(BATCH_SIZE, count - first), image.channels, image.size, image.size)
        levels = torch.randint(0, 2**image.bits, shape, generator=generator)
        yield to_images(levels, image.bits)
