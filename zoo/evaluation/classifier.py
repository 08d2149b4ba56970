"""Feature network of FID-CNN: a small classifier, trained once per dataset and cached."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from zoo.data.dataset import ResidentSplit, Split
from zoo.data.quantize import to_images, to_levels
from zoo.data.spread import spread_by_class
from zoo.errors import ZooError
from zoo.evaluation.features import FeatureNetwork
from zoo.runs.folder import short_hash
from zoo.runs.weights import load_weights, save_tensors
from zoo.sampling.seeding import CLASSIFIER, generator_for
from zoo.system.files import write_errors, write_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from zoo.data.dataset import Dataset
    from zoo.specs import ImageSpec
    from zoo.system.progress import Progress

RECIPE = 1
"""Version of the training recipe below; part of the cache key."""

FEATURES = 64
STEPS, EPOCHS, BATCH_SIZE = 1500, 20, 128
"""Training stops after STEPS steps or EPOCHS epochs, whichever comes first."""

LEARNING_RATE, WEIGHT_DECAY, WARMUP = 2e-3, 1e-2, 50
MAX_TRAIN_IMAGES, MAX_TEST_IMAGES, MAX_BYTES = 60_000, 10_000, 2**30
"""Maximum size of the splits; larger ones are subsampled at even intervals."""


class Classifier(nn.Module):
    """A convolutional classifier of images.

    At least three convolutions with batch normalization, of stride 2 until the size is 4 pixels; a
    layer of FEATURES units with mean 0 and variance 1 over the training split, the features; and a
    linear layer. ``forward`` computes the logits ``[N, classes]`` of images ``[N, C, S, S]`` in
    [0, 1].
    """

    def __init__(self, image_spec: ImageSpec) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs, size, stage = image_spec.channels, image_spec.size, 0
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
        # Features of variance 1 make distances comparable in scale across datasets.
        layers += [nn.BatchNorm1d(FEATURES, affine=False)]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(FEATURES, image_spec.classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images))

    def features(self, images: Tensor) -> Tensor:
        """Returns the features of images, ``[N, FEATURES]``."""
        return self.body(2 * images - 1)


@dataclass(frozen=True, eq=False)
class LabeledImages:
    """Images uint8 ``[N, C, S, S]``, 0 to 255, and their classes int64 ``[N]``."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


def classifier_features(
    data: Dataset, device: torch.device, progress: Progress, folder: Path | None = None
) -> FeatureNetwork:
    """Returns the classifier of a dataset's training split, in evaluation mode on ``device``.

    It is loaded from ``folder``, by default the user's cache, or trained and stored there. The
    cache key hashes the images, the labels, the image spec and the recipe. Raises ZooError for data
    without labels.
    """
    train = _labeled(data.splits["train"], MAX_TRAIN_IMAGES)
    if train is None:
        raise ZooError(no_labels(data))
    test = _labeled(data.splits["test"], MAX_TEST_IMAGES)
    key = _key(data.image_spec, train, test)
    path = (cache_folder() if folder is None else folder) / f"{key}.safetensors"
    with torch.device("meta"):  # no random weights: they are loaded or set below
        network = Classifier(data.image_spec)
    network.to_empty(device="cpu")
    with _locked(path, progress):
        record = _load_cached(path, network)
        if record is None:
            accuracy = _train(network.to(device), data.image_spec, train, test, progress)
            save_tensors(path, network.state_dict())
            # Written last, with the hash of the weights: an incomplete pair is not used.
            record = {"recipe": RECIPE, "accuracy": accuracy, "weights": short_hash(path)}
            write_json(path.with_suffix(".json"), record)
    network.to(device).eval()
    name, accuracy = f"CNN {record['weights']}", record["accuracy"]

    @torch.inference_mode()
    def extract(images: Tensor) -> Tensor:
        return network.features(images.to(device))

    accuracy_text = "" if accuracy is None else f"test accuracy {100 * accuracy:.2f} %, "
    return FeatureNetwork(
        name,
        "_cnn",
        f"in the {FEATURES} features of a small CNN trained on the {data.image_spec.classes} "
        f"classes of the training split ({accuracy_text}{name})",
        extract,
        accuracy,
    )


def no_labels(data: Dataset) -> str:
    """Returns the error message for data without labels."""
    return f"{data.name} has no labels to train a feature network on: pass one with --features"


def cache_folder() -> Path:
    """Returns the cache of classifiers: ``genzoo/classifiers`` in XDG_CACHE_HOME or ~/.cache."""
    root = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification says to ignore relative paths.
    base = Path(root) if os.path.isabs(root) else Path.home() / ".cache"
    return base / "genzoo" / "classifiers"


@contextmanager
def _locked(path: Path, progress: Progress) -> Iterator[None]:
    """Lets one process train at a time; the others wait and then load its result."""
    from filelock import FileLock, Timeout

    with write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_suffix(".lock"))
        try:
            lock.acquire(timeout=1)
        except Timeout:
            progress.say("waiting for another process that trains the feature network of this data")
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _load_cached(path: Path, network: nn.Module) -> Mapping[str, Any] | None:
    """Loads ``network`` from the cache; returns None and leaves it unchanged if one of the two
    files is missing or damaged, or they do not match."""
    try:
        record: Mapping[str, Any] = json.loads(path.with_suffix(".json").read_text("utf-8"))
        if record["weights"] != short_hash(path) or "accuracy" not in record:
            return None
        load_weights(network, path)
    except (OSError, ValueError, KeyError, TypeError, ZooError):
        return None
    return record


def _labeled(split: Split, max_images: int) -> LabeledImages | None:
    """Returns at most ``max_images`` images with a label, spread over the split; None if
    there are none."""
    labeled = np.flatnonzero(split.labels >= 0)
    if not len(labeled):
        return None
    size = split[0][0].size
    maximum = min(max_images, max(1, MAX_BYTES // size))
    indices = labeled[spread_by_class(split.labels[labeled], maximum)]
    if isinstance(split, ResidentSplit):
        images = split.images[indices] if len(indices) < len(split) else split.images
    else:
        images = np.stack([split[int(index)][0] for index in indices])
    return LabeledImages(images, split.labels[indices])


def _key(image_spec: ImageSpec, train: LabeledImages, test: LabeledImages | None) -> str:
    """Returns the cache key: a hash of the recipe, the image spec without names of classes, the
    images and the labels."""
    digest = hashlib.sha256(repr((RECIPE, replace(image_spec, class_names=()))).encode())
    for part in (train, test):
        if part is not None:
            digest.update(repr(part.images.shape).encode())
            digest.update(np.ascontiguousarray(part.images).data)
            digest.update(part.labels.tobytes())
    return digest.hexdigest()[:32]


def _train(
    network: Classifier,
    image_spec: ImageSpec,
    train: LabeledImages,
    test: LabeledImages | None,
    progress: Progress,
) -> float | None:
    """Trains in place; returns the accuracy on the test images, None if they have no labels."""
    device = next(network.parameters()).device
    generator = generator_for(0, CLASSIFIER, device=device)
    _initialize(network, generator)
    if device.type != "cpu":
        generator = generator_for(0, CLASSIFIER)  # of the order, which lies on the CPU
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    count, size = len(train.images), min(BATCH_SIZE, len(train.images))
    steps = min(STEPS, math.ceil(EPOCHS * count / size))
    levels = to_levels(torch.from_numpy(train.images), image_spec.bits)
    labels = torch.from_numpy(train.labels)
    order = torch.empty(0, dtype=torch.int64)
    network.train()
    for step in range(steps):
        if len(order) < size:
            order = torch.randperm(count, generator=generator)
        indices, order = order[:size], order[size:]
        rate = LEARNING_RATE * min((step + 1) / WARMUP, 1 - step / steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        images = to_images(levels[indices], image_spec.bits).to(device)
        loss = cross_entropy(network(images), labels[indices].to(device))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        progress.show("training the feature network, once for this data", step + 1, steps)
    network.eval()
    return None if test is None else _accuracy(network, image_spec, test)


def _initialize(network: nn.Module, generator: torch.Generator) -> None:
    """Initializes the layers as torch does, from ``generator``."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.reset_parameters()
        elif isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_uniform_(module.weight, math.sqrt(5), generator=generator)
            if module.bias is not None:
                bound = 1 / math.sqrt(module.weight[0].numel())
                nn.init.uniform_(module.bias, -bound, bound, generator=generator)


@torch.inference_mode()
def _accuracy(network: Classifier, image_spec: ImageSpec, test: LabeledImages) -> float:
    device = next(network.parameters()).device
    correct = 0
    for first in range(0, len(test.images), BATCH_SIZE):
        part = torch.from_numpy(test.images[first : first + BATCH_SIZE])
        logits = network(to_images(to_levels(part, image_spec.bits), image_spec.bits).to(device))
        labels = torch.from_numpy(test.labels[first : first + BATCH_SIZE])
        correct += int((logits.argmax(1).cpu() == labels).sum())
    return correct / len(test.images)
