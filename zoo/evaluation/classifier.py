"""The feature network of FID-CNN: a small classifier, trained once for each data set and kept."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from zoo.data.dataset import ResidentSplit, Split
from zoo.data.quantize import to_images, to_levels
from zoo.data.survey import spread
from zoo.errors import ZooError
from zoo.evaluation.features import FeatureNetwork
from zoo.runs.folder import short_hash
from zoo.runs.weights import load_weights, save_tensors
from zoo.sampling.seeding import CLASSIFIER, seed_torch
from zoo.system.files import write_errors, write_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from zoo.data.dataset import Dataset
    from zoo.specs import ImageSpec
    from zoo.system.progress import Progress

RECIPE = 1
"""Counted up when anything below changes what is trained."""

FEATURES = 64
STEPS, EPOCHS, BATCH_SIZE = 1500, 20, 128
"""It trains so many steps, or so many epochs where that is less."""

LEARNING_RATE, WEIGHT_DECAY, WARMUP = 2e-3, 1e-2, 50
MOST_TRAINED, MOST_TESTED, MOST_BYTES = 60_000, 10_000, 2**30
"""It sees so many pictures, evenly spread over larger splits."""


class Classifier(nn.Module):
    """Convolutions of stride 2 down to 4 pixels a side, three at least, each with batch
    normalisation; a layer of FEATURES units, which over the training split have mean 0 and
    variance 1, the features; and one of a unit for each class.

    ``forward`` takes pictures ``[N, C, S, S]`` in [0, 1] and gives logits ``[N, classes]``.
    """

    def __init__(self, image: ImageSpec) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs, size, stage = image.channels, image.size, 0
        while size > 4 or stage < 3:
            outputs, kernel = min(32 * 2**stage, 128), 3 if stage else 5
            stride = 2 if size > 4 else 1
            layers += [
                nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
                nn.BatchNorm2d(outputs),
                nn.SiLU(),
            ]
            inputs, size, stage = outputs, -(-size // stride), stage + 1
        layers += [nn.Flatten(), nn.Linear(inputs * size**2, FEATURES), nn.SiLU()]
        # Features of variance 1: distances are then of one scale, whatever the data.
        layers += [nn.BatchNorm1d(FEATURES, affine=False)]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(FEATURES, image.classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images))

    def features(self, images: Tensor) -> Tensor:
        """``[N, FEATURES]``."""
        return self.body(2 * images - 1)


@dataclass(frozen=True, eq=False)
class Labeled:
    """Pictures uint8 ``[N, C, S, S]``, 0 to 255, and their classes int64 ``[N]``."""

    pictures: NDArray[np.uint8]
    labels: NDArray[np.int64]


def classifier_features(
    data: Dataset, device: torch.device, progress: Progress, folder: Path | None = None
) -> FeatureNetwork:
    """The classifier of a data set's training split, in evaluation mode on ``device``: from
    ``folder``, by default the user's cache, else trained and kept there.

    Its key is the pictures and labels, their shape and the recipe. Raises ZooError for data without
    labels.
    """
    if not data.image_spec.classes:
        raise ZooError(no_labels(data))
    train = _labeled(data.splits["train"], MOST_TRAINED)
    test = _labeled(data.splits["test"], MOST_TESTED)
    key = _key(data.image_spec, train, test)
    path = (cache_folder() if folder is None else folder) / f"{key}.safetensors"
    network = Classifier(data.image_spec)
    with _locked(path, progress):
        facts = _kept(path, network)
        if facts is None:
            accuracy = _train(network.to(device), data.image_spec, train, test, progress)
            save_tensors(path, network.state_dict())
            # Last, with the hash of the other file: without it, or with another, nothing is kept.
            facts = {"recipe": RECIPE, "accuracy": accuracy, "weights": short_hash(path)}
            write_json(path.with_suffix(".json"), facts)
    network.to(device).eval()
    name, accuracy = f"CNN {facts['weights']}", facts["accuracy"]

    @torch.inference_mode()
    def extract(images: Tensor) -> Tensor:
        return network.features(images.to(device))

    seen = "" if accuracy is None else f"test accuracy {100 * accuracy:.2f} %, "
    return FeatureNetwork(
        name,
        "_cnn",
        f"in the {FEATURES} features of a small CNN that was taught the {data.image_spec.classes} "
        f"classes of the training split ({seen}{name})",
        extract,
        accuracy,
    )


def no_labels(data: Dataset) -> str:
    """Why there is no classifier of these data, and what to do."""
    return (
        f"{data.name} has no labels to teach a feature network: give one of your own with "
        "--features"
    )


def cache_folder() -> Path:
    """Where classifiers are kept: ``genzoo/classifiers`` in XDG_CACHE_HOME, else in ~/.cache."""
    root = os.environ.get("XDG_CACHE_HOME", "")
    # The specification has relative paths passed over.
    base = Path(root) if os.path.isabs(root) else Path.home() / ".cache"
    return base / "genzoo" / "classifiers"


@contextmanager
def _locked(path: Path, progress: Progress) -> Iterator[None]:
    """One process trains, others wait and find it trained."""
    from filelock import FileLock, Timeout

    with write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_suffix(".lock"))
        try:
            lock.acquire(timeout=1)
        except Timeout:
            progress.say("another process trains the feature network of these data: waiting for it")
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _kept(path: Path, network: nn.Module) -> Mapping[str, Any] | None:
    """Fill ``network`` from the cache; None, and the network as it was, where the two files are not
    there, not whole or not of each other."""
    try:
        facts: Mapping[str, Any] = json.loads(path.with_suffix(".json").read_text("utf-8"))
        if facts["weights"] != short_hash(path) or "accuracy" not in facts:
            return None
        load_weights(network, path)
    except (OSError, ValueError, KeyError, TypeError, ZooError):
        return None
    return facts


def _labeled(split: Split, most: int) -> Labeled | None:
    """Pictures of a split evenly spread over it, as many as there may be; None where one has no
    label, or the split no picture."""
    if not len(split) or (split.labels < 0).any():
        return None
    size = split[0][0].size
    chosen = spread(len(split), min(most, max(1, MOST_BYTES // size)))
    if isinstance(split, ResidentSplit):
        pictures = split.images[chosen] if len(chosen) < len(split) else split.images
    else:
        pictures = np.stack([split[int(index)][0] for index in chosen])
    return Labeled(pictures, split.labels[chosen])


def _key(image: ImageSpec, train: Labeled | None, test: Labeled | None) -> str:
    """What makes a classifier: the recipe, the shape, the pictures and labels."""
    found = hashlib.sha256(repr((RECIPE, image)).encode())
    for part in (train, test):
        if part is not None:
            found.update(repr(part.pictures.shape).encode())
            found.update(np.ascontiguousarray(part.pictures).data)
            found.update(part.labels.tobytes())
    return found.hexdigest()[:32]


def _train(
    network: Classifier,
    image: ImageSpec,
    train: Labeled | None,
    test: Labeled | None,
    progress: Progress,
) -> float | None:
    """Train in place; returns the accuracy on the test pictures, None where these have no
    labels."""
    assert train is not None, "data with classes have labelled training pictures"
    device = next(network.parameters()).device
    seed_torch(0, CLASSIFIER)
    _initialize(network)
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    count, size = len(train.pictures), min(BATCH_SIZE, len(train.pictures))
    steps = min(STEPS, math.ceil(EPOCHS * count / size))
    levels = to_levels(torch.from_numpy(train.pictures), image.bits)
    labels = torch.from_numpy(train.labels)
    order = torch.empty(0, dtype=torch.int64)
    network.train()
    for step in range(steps):
        if len(order) < size:
            order = torch.randperm(count)
        chosen, order = order[:size], order[size:]
        rate = LEARNING_RATE * min((step + 1) / WARMUP, 1 - step / steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        images = to_images(levels[chosen], image.bits).to(device)
        loss = cross_entropy(network(images), labels[chosen].to(device))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        progress.show("training the feature network, once for these data", step + 1, steps)
    network.eval()
    return None if test is None else _accuracy(network, image, test)


def _initialize(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm1d | nn.BatchNorm2d):
            module.reset_parameters()


@torch.inference_mode()
def _accuracy(network: Classifier, image: ImageSpec, test: Labeled) -> float:
    device = next(network.parameters()).device
    right = 0
    for first in range(0, len(test.pictures), BATCH_SIZE):
        part = torch.from_numpy(test.pictures[first : first + BATCH_SIZE])
        logits = network(to_images(to_levels(part, image.bits), image.bits).to(device))
        labels = torch.from_numpy(test.labels[first : first + BATCH_SIZE])
        right += int((logits.argmax(1).cpu() == labels).sum())
    return right / len(test.pictures)
