"""Evaluation of a model by all of its metrics."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zoo.data.batches import in_order
from zoo.data.spread import spread_split
from zoo.errors import ZooError
from zoo.evaluation import frechet, kernel, neighbors
from zoo.evaluation.classifier import no_labels
from zoo.evaluation.conditioning import Conditioning, conditioned, sample_labels
from zoo.evaluation.exported import Exported
from zoo.evaluation.extractors import feature_network
from zoo.evaluation.features import (
    BATCH_SIZE,
    FeatureNetwork,
    features_of,
    first_bad,
)
from zoo.evaluation.likelihood import Count, Scorer, image_nats, importance_weighted
from zoo.evaluation.metrics import (
    DISTANCES,
    LIKELIHOODS,
    NAMES,
    Evaluation,
    Metric,
    Protocol,
    check_names,
    check_supported,
    no_likelihood,
    title_of,
)
from zoo.sampling.checks import check_integer, check_seed, check_temperature
from zoo.system.progress import Progress
from zoo.system.torch_state import default_state

if TYPE_CHECKING:
    from zoo.data.dataset import Dataset
    from zoo.model import Model
    from zoo.sampling.labels import Indices

MAX_SAMPLES = 10_000
IMPORTANCE_SAMPLES = 100


@dataclass(frozen=True)
class Plan:
    """The metrics of an evaluation and their protocol.

    ``metrics`` are names; empty means all that the model supports. ``images`` is the number of
    images, spread over the split; ``samples`` defaults to their number, at most 10,000;
    ``temperature`` defaults to the model's. ``features`` is the path of an ``.onnx`` file,
    ``"inception"``, or None for a classifier of the data.
    """

    split: str = "test"
    seed: int = 0
    metrics: tuple[str, ...] = ()
    images: int | None = None
    samples: int | None = None
    temperature: float | None = None
    importance_samples: int = IMPORTANCE_SAMPLES
    features: str | Path | None = None

    def __post_init__(self) -> None:
        check_names(self.metrics)
        for name in ("images", "samples", "importance_samples"):
            if (value := getattr(self, name)) is not None:
                check_integer(value, name.replace("_", " "), 1)
        check_seed(self.seed)
        if self.temperature is not None:
            check_temperature(self.temperature)


def supported_metrics(model: Model) -> tuple[str, ...]:
    """Returns the names of the metrics that the model supports."""
    names = set(DISTANCES)
    if model.scores:
        names |= {"bits_per_dim", "nats"}
        if importance_weighted(model, 1) is not None:
            names.add("importance_weighted_nats")
    return tuple(name for name in NAMES if name in names)


def check_plan(model: Model, plan: Plan) -> tuple[str, ...]:
    """Returns the metrics to measure, in the order of NAMES; raises UsageError for one that the
    model does not support."""
    supported = supported_metrics(model)
    check_supported(model.name, plan.metrics, supported)
    return tuple(name for name in supported if name in (plan.metrics or supported))


@default_state(gradients=True)
def evaluate(
    model: Model, data: Dataset, plan: Plan, weights: str, progress: Progress | None = None
) -> Evaluation:
    """Measures the metrics of ``plan``; ``weights`` is the short hash of the model's weights.

    Raises ZooError for a metric of ``plan.metrics`` that cannot be measured; by default such
    metrics are skipped and their reason is stored. Raises ZooError for an empty split, and, naming
    the image, for a likelihood, sample or feature that is not finite.
    """
    names, split, progress = check_plan(model, plan), plan.split, progress or Progress()
    if not len(data.splits[split]):
        raise ZooError(f"{data.name} has no {split} split to score: pass another --data or --split")
    conditioning = conditioned(model, data, split)
    data = conditioning.data
    metrics: list[Metric] = []
    skipped: dict[str, str] = {}
    likelihoods = [name for name in LIKELIHOODS if name in names]
    if reason := likelihoods and (conditioning.unlabeled or _no_likelihood(model)):
        if set(likelihoods) & set(plan.metrics):
            raise ZooError(reason)
        skipped = dict.fromkeys(likelihoods, reason)
    elif likelihoods:
        metrics += _likelihoods(model, conditioning, plan, names, progress)
    distances = [name for name in DISTANCES if name in names]
    if reason := distances and no_distance(data, plan, distances):
        if set(distances) & set(plan.metrics):
            raise ZooError(reason)
        suffix = "_cnn" if plan.features is None else ""
        skipped |= {name + suffix: reason for name in distances}
    elif distances:
        metrics += _distances(model, conditioning, plan, distances, progress)
    if conditioning.unlabeled and not metrics:
        raise ZooError(conditioning.unlabeled)
    return Evaluation(tuple(metrics), skipped, weights)


def _no_likelihood(model: Model) -> str:
    return no_likelihood(model.spec) if isinstance(model, Exported) else ""


def _protocol(model: Model, conditioning: Conditioning, plan: Plan) -> Protocol:
    data = conditioning.data
    spec, count = data.image_spec, _image_count(data, plan)
    total = len(data.splits[plan.split])
    return Protocol(
        data.name,
        plan.split,
        count,
        plan.seed,
        spec.bits,
        spec.dimensions,
        "",
        left_out=conditioning.left_out or None,
        split_images=None if count == total else total,
        backend=model.backend if isinstance(model, Exported) else None,
    )


def _image_count(data: Dataset, plan: Plan) -> int:
    total = len(data.splits[plan.split])
    return total if plan.images is None else min(total, plan.images)


# Likelihoods


def _likelihoods(
    model: Model,
    conditioning: Conditioning,
    plan: Plan,
    names: tuple[str, ...],
    progress: Progress,
) -> list[Metric]:
    metrics = []
    data, protocol = conditioning.data, _protocol(model, conditioning, plan)
    if {"bits_per_dim", "nats"} & set(names):
        scorer = Scorer(model)
        nats = _nats(model, data, plan, scorer, "scoring images", progress)
        protocol = replace(protocol, method=scorer.method)
        nats_per_bit = data.image_spec.dimensions * math.log(2)
        if "bits_per_dim" in names:
            metrics.append(_mean("bits_per_dim", nats / nats_per_bit, "bits/dim", protocol))
        if "nats" in names:
            metrics.append(_mean("nats", nats, "nats", protocol))
    if "importance_weighted_nats" in names:
        k = plan.importance_samples
        bound = importance_weighted(model, k)
        assert bound is not None, "checked by supported_metrics()"
        count, method = bound
        label = f"computing {k:,} importance weights per image"
        nats = _nats(model, data, plan, count, label, progress)
        protocol = replace(protocol, method=method, importance_samples=k)
        metrics.append(_mean(LIKELIHOODS[-1], nats, "nats", protocol))
    return metrics


def _nats(
    model: Model, data: Dataset, plan: Plan, count: Count, label: str, progress: Progress
) -> Tensor:
    def show(done: int, total: int) -> None:
        progress.show(label, done, total)

    batches = image_nats(model, data, plan.split, plan.seed, count, plan.images, show)
    return torch.cat([nats.cpu().double() for nats in batches])


def _mean(name: str, values: Tensor, unit: str, protocol: Protocol) -> Metric:
    error = (values.std() / math.sqrt(len(values))).item() if len(values) > 1 else None
    return Metric(name, values.mean().item(), unit, protocol, error)


# Distances between samples and images


def no_distance(data: Dataset, plan: Plan, names: list[str]) -> str:
    """Returns why samples cannot be compared with the data; empty if they can."""
    if plan.features is None and (data.splits["train"].labels < 0).all():
        return no_labels(data)
    minima = {"fid": frechet.MIN_IMAGES, "kid": kernel.MIN_IMAGES}
    minimum = max(minima.get(name, neighbors.MIN_IMAGES) for name in names)
    images, samples = _image_count(data, plan), _sample_count(data, plan)
    if min(images, samples) < minimum:
        return (
            f"{', '.join(title_of(name) for name in names)} need at least {minimum} images and "
            f"samples, got {images} and {samples}"
        )
    return ""


def _sample_count(data: Dataset, plan: Plan) -> int:
    return plan.samples or min(_image_count(data, plan), MAX_SAMPLES)


def _distances(
    model: Model, conditioning: Conditioning, plan: Plan, names: list[str], progress: Progress
) -> list[Metric]:
    data = conditioning.data
    labels = None
    by_class = ""
    if model.latent.classes and conditioning.unlabeled:
        by_class = ", of each class in turn since the images have none"
    elif model.latent.classes:
        by_class = ", of the classes of these images"
        images, _ = spread_split(data.splits[plan.split], plan.images)
        labels = sample_labels(images.labels, _sample_count(data, plan))
    network = feature_network(model.device, data, plan.features, progress)
    real = _real_features(model, data, plan, network, progress)
    generated = _generated_features(model, data, plan, labels, network, progress)
    temperature = model.temperature if plan.temperature is None else plan.temperature
    subsets, size = kernel.subsets_of(len(real), len(generated))
    k = neighbors.NEIGHBORS
    # One text for all four metrics, so that a table needs a single footnote.
    method = (
        f"{network.method}{by_class}; KID over {subsets} subset{'s' * (subsets > 1)} of {size:,}, "
        f"precision and recall by the k = {k} nearest neighbors"
    )
    protocol = replace(
        _protocol(model, conditioning, plan),
        method=method,
        samples=len(generated),
        temperature=float(temperature),
        features=network.name,
        feature_dimensions=real.shape[1],
        accuracy=network.accuracy,
    )
    metrics = []

    def add(name: str, value: float, protocol: Protocol, deviation: float | None = None) -> None:
        if name in names:
            metrics.append(Metric(name + network.suffix, value, "", protocol, deviation=deviation))

    if "fid" in names:
        progress.show("FID", 0, 1)
        add("fid", frechet.frechet_distance(real, generated), protocol)
        progress.show("FID", 1, 1)
    if "kid" in names:
        progress.show("KID", 0, 1)
        value, deviation = kernel.kernel_distance(real, generated, plan.seed)
        kid_protocol = replace(protocol, subsets=subsets, subset_size=size)
        add("kid", value, kid_protocol, deviation if subsets > 1 else None)
        progress.show("KID", 1, 1)
    if {"precision", "recall"} & set(names):
        device = model.device if model.device.type == "cuda" else torch.device("cpu")

        def show(done: int, total: int) -> None:
            progress.show("precision and recall", done, total)

        precision, recall = neighbors.precision_recall(
            real.to(device), generated.to(device), k, show
        )
        neighbor_protocol = replace(protocol, neighbors=k)
        add("precision", precision, neighbor_protocol)
        add("recall", recall, neighbor_protocol)
    return metrics


def _real_features(
    model: Model, data: Dataset, plan: Plan, network: FeatureNetwork, progress: Progress
) -> Tensor:
    split, indices = spread_split(data.splits[plan.split], plan.images)
    batches = in_order(split, data.image_spec, BATCH_SIZE, model.device)

    def name(index: int) -> str:
        return f"image {indices[index]} of the {plan.split} split"

    report = _reporter("computing features of images", len(split), progress)
    return features_of(network, (batch.images for batch in batches), name, report)


def _generated_features(
    model: Model,
    data: Dataset,
    plan: Plan,
    labels: Indices | None,
    network: FeatureNetwork,
    progress: Progress,
) -> Tensor:
    total = _sample_count(data, plan)

    def samples() -> Iterator[Tensor]:
        done = 0
        pending: list[Tensor] = []
        stream = model.stream(total, seed=plan.seed, temperature=plan.temperature, labels=labels)
        for part in stream:
            if bad := first_bad(part):
                raise ZooError(
                    f"sample {done + bad - 1} of seed {plan.seed} is not finite: evaluate at a "
                    "lower --temperature, or use weights from before the run diverged"
                )
            done += len(part)
            pending.append(part)
            if sum(map(len, pending)) >= BATCH_SIZE or done == total:
                yield torch.cat(pending)
                pending.clear()

    def name(index: int) -> str:
        return f"sample {index} of seed {plan.seed}"

    report = _reporter("generating samples", total, progress)
    return features_of(network, samples(), name, report)


def _reporter(label: str, total: int, progress: Progress) -> Callable[[int], None]:
    return lambda done: progress.show(label, done, total)
