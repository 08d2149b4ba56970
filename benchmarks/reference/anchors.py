"""Distances of real images and of uniform noise, which bracket those of models.

Computed as ``zoo evaluate`` does, in the same features, with as many images: about what a perfect
model would get, and what uniform noise gets.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from zoo.data.batches import in_order
from zoo.data.dataset import Dataset
from zoo.data.quantize import to_images, to_levels
from zoo.data.spread import spread_by_class
from zoo.evaluation.classifier import classifier_features
from zoo.evaluation.features import BATCH_SIZE, FeatureNetwork, features_of
from zoo.evaluation.frechet import frechet_distance
from zoo.evaluation.kernel import kernel_distance, subsets_of
from zoo.evaluation.measure import MAX_SAMPLES
from zoo.evaluation.neighbors import NEIGHBORS, precision_recall
from zoo.system.progress import Progress

REAL, NOISE = "real images", "noise"


def anchors(data: Dataset, device: torch.device, progress: Progress) -> list[dict[str, Any]]:
    """Returns the two anchors of results.json, each against the test split: training images, evenly
    spread over their split, and uniform random levels of seed 0."""
    network = classifier_features(data, device, progress)
    test = len(data.splits["test"])
    count = min(test, MAX_SAMPLES)
    batches = in_order(data.splits["test"], data.image_spec, BATCH_SIZE, device)
    real = _features(network, (batch.images for batch in batches), "test images", test, progress)
    subsets, size = subsets_of(len(real), count)
    method = (
        f"against {test:,} images of the test split of {data.name}, {network.method}; KID over "
        f"{subsets} subset{'s' * (subsets > 1)} of {size:,}, precision and recall by the "
        f"k = {NEIGHBORS} nearest neighbors"
    )
    entries = []
    for kind, images, description in (
        (REAL, _training_images(data, count), "images of the training split, evenly spread"),
        (NOISE, _noise(data, count), "images of uniform random levels, seed 0"),
    ):
        features = _features(network, images, kind, count, progress)
        kid, deviation = kernel_distance(real, features)
        precision, recall = precision_recall(real, features)
        entries.append(
            {
                "kind": kind,
                "images": len(features),
                "features": network.name,
                "protocol": f"{len(features):,} {description}, {method}",
                "fid_cnn": frechet_distance(real, features),
                "kid_cnn": kid,
                "kid_cnn_deviation": deviation,
                "precision_cnn": precision,
                "recall_cnn": recall,
            }
        )
    return entries


def _features(
    network: FeatureNetwork, images: Iterator[Tensor], label: str, total: int, progress: Progress
) -> Tensor:
    return features_of(
        network,
        images,
        lambda i: f"image {i} of the {label}",
        lambda done: progress.show(f"extracting features of {label}", done, total),
    )


def _training_images(data: Dataset, count: int) -> Iterator[Tensor]:
    split, bits = data.splits["train"], data.image_spec.bits
    for part in torch.from_numpy(spread_by_class(split.labels, count)).split(BATCH_SIZE):
        pixels = torch.stack([torch.from_numpy(split[int(i)][0]) for i in part])
        yield to_images(to_levels(pixels, bits), bits)


def _noise(data: Dataset, count: int) -> Iterator[Tensor]:
    image = data.image_spec
    generator = torch.Generator().manual_seed(0)
    for first in range(0, count, BATCH_SIZE):
        shape = (min(BATCH_SIZE, count - first), image.channels, image.size, image.size)
        levels = torch.randint(0, 2**image.bits, shape, generator=generator)
        yield to_images(levels, image.bits)
