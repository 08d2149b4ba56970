"""All metrics of a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zoo.data.batches import in_order
from zoo.errors import UsageError, ZooError
from zoo.evaluation import frechet, kernel, neighbors
from zoo.evaluation.classifier import no_labels
from zoo.evaluation.extractors import feature_network
from zoo.evaluation.features import (
    BATCH_SIZE,
    FeatureNetwork,
    features_of,
    first_bad,
)
from zoo.evaluation.likelihood import Count, Scored, image_nats, importance_weighted
from zoo.evaluation.metrics import (
    DISTANCES,
    LIKELIHOODS,
    NAMES,
    Evaluation,
    Metric,
    Protocol,
    check_names,
    title_of,
)
from zoo.system.progress import Progress

if TYPE_CHECKING:
    from zoo.data.dataset import Dataset
    from zoo.model import Model

MOST_SAMPLES = 10_000
IMPORTANCE_SAMPLES = 100


@dataclass(frozen=True)
class Plan:
    """What to measure, and by which protocol.

    ``metrics`` are names, all that the model has if empty. ``images`` bounds the images of the
    split, from its first on; ``samples`` are as many as those, 10,000 at most, where None;
    ``temperature`` is the model's own where None. ``features`` is a path of an ``.onnx`` file,
    ``"inception"``, or None for a classifier of the data's own.
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
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{name.replace('_', ' ')} must be at least 1, got {value}")
        warm = self.temperature
        if warm is not None and not (math.isfinite(warm) and warm >= 0):
            raise UsageError(f"the temperature must be a finite number from 0 on, got {warm}")


def possible(model: Model) -> tuple[str, ...]:
    """The metrics that the run's model has."""
    has = set(DISTANCES)
    if model.scores:
        has |= {"bits_per_dim", "nats"}
        if importance_weighted(model, 1) is not None:
            has.add("importance_weighted_nats")
    return tuple(name for name in NAMES if name in has)


def check_plan(model: Model, plan: Plan) -> tuple[str, ...]:
    """The metrics to count, in the order of NAMES; UsageError for one that the model has not."""
    can = possible(model)
    for name in plan.metrics:
        if name not in can:
            raise UsageError(f"{model.name} has no {title_of(name)}: it has {', '.join(can)}")
    return tuple(name for name in can if name in (plan.metrics or can))


def evaluate(
    model: Model, data: Dataset, plan: Plan, weights: str, progress: Progress | None = None
) -> Evaluation:
    """Measures what ``plan`` asks for; ``weights`` is the short hash of the model's weights.

    What was asked for by name and cannot be counted raises; of what was not, the reason is kept.
    Raises ZooError for an empty split, and for a likelihood, sample or feature that is not finite,
    naming the image.
    """
    wanted, split, told = check_plan(model, plan), plan.split, progress or Progress()
    if not len(data.splits[split]):
        raise ZooError(f"{data.name} has no {split} split to score: name another --data or --split")
    metrics = _likelihoods(model, data, plan, wanted, told)
    skipped: dict[str, str] = {}
    distances = [name for name in DISTANCES if name in wanted]
    if reason := distances and _no_distance(data, plan, distances):
        if set(distances) & set(plan.metrics):
            raise ZooError(reason)
        suffix = "_cnn" if plan.features is None else ""
        skipped = {name + suffix: reason for name in distances}
    elif distances:
        metrics += _distances(model, data, plan, distances, told)
    return Evaluation(tuple(metrics), skipped, weights)


def _protocol(data: Dataset, plan: Plan) -> Protocol:
    image = data.image_spec
    images = _images(data, plan)
    return Protocol(data.name, plan.split, images, plan.seed, image.bits, image.dimensions, "")


def _images(data: Dataset, plan: Plan) -> int:
    whole = len(data.splits[plan.split])
    return whole if plan.images is None else min(whole, plan.images)


# Likelihoods


def _likelihoods(
    model: Model, data: Dataset, plan: Plan, wanted: tuple[str, ...], progress: Progress
) -> list[Metric]:
    metrics = []
    protocol = _protocol(data, plan)
    if {"bits_per_dim", "nats"} & set(wanted):
        scored = Scored(model)
        nats = _nats(model, data, plan, scored, "scoring images", progress)
        protocol = replace(protocol, method=scored.method)
        bit = data.image_spec.dimensions * math.log(2)
        if "bits_per_dim" in wanted:
            metrics.append(_mean("bits_per_dim", nats / bit, "bits/dim", protocol))
        if "nats" in wanted:
            metrics.append(_mean("nats", nats, "nats", protocol))
    if "importance_weighted_nats" in wanted:
        k = plan.importance_samples
        found = importance_weighted(model, k)
        assert found is not None, "possible() says so"
        count, method = found
        nats = _nats(model, data, plan, count, f"weighing {k:,} samples per image", progress)
        protocol = replace(protocol, method=method, importance_samples=k)
        metrics.append(_mean(LIKELIHOODS[-1], nats, "nats", protocol))
    return metrics


def _nats(
    model: Model, data: Dataset, plan: Plan, count: Count, what: str, progress: Progress
) -> Tensor:
    def show(done: int, total: int) -> None:
        progress.show(what, done, total)

    found = image_nats(model, data, plan.split, plan.seed, count, plan.images, show)
    return torch.cat([nats.cpu().double() for nats in found])


def _mean(name: str, values: Tensor, unit: str, protocol: Protocol) -> Metric:
    error = (values.std() / math.sqrt(len(values))).item() if len(values) > 1 else None
    return Metric(name, values.mean().item(), unit, protocol, error)


# Distances of samples from images


def _no_distance(data: Dataset, plan: Plan, names: list[str]) -> str:
    """Why samples cannot be compared with these data; empty where they can."""
    if plan.features is None and not data.image_spec.classes:
        return no_labels(data)
    fewest = max(
        {"fid": frechet.FEWEST, "kid": kernel.FEWEST}.get(name, neighbors.FEWEST) for name in names
    )
    images, samples = _images(data, plan), _samples(data, plan)
    if min(images, samples) < fewest:
        return (
            f"{', '.join(title_of(name) for name in names)} need {fewest} images and samples at "
            f"least, and these are {images} and {samples}"
        )
    return ""


def _samples(data: Dataset, plan: Plan) -> int:
    return plan.samples or min(_images(data, plan), MOST_SAMPLES)


def _distances(
    model: Model, data: Dataset, plan: Plan, wanted: list[str], progress: Progress
) -> list[Metric]:
    network = feature_network(model.device, data, plan.features, progress)
    real = _real_features(model, data, plan, network, progress)
    drawn = _drawn_features(model, data, plan, network, progress)
    warm = model.temperature if plan.temperature is None else plan.temperature
    by_class = ", of each class in turn" if model.latent.classes else ""
    subsets, size = kernel.subsets_of(len(real), len(drawn))
    k = neighbors.NEIGHBORS
    # One text for all four, so that a table of several runs needs one note for each.
    how = (
        f"{network.method}{by_class}; KID over {subsets} subset{'s' * (subsets > 1)} of {size:,}, "
        f"precision and recall by the k = {k} nearest neighbors"
    )
    protocol = replace(
        _protocol(data, plan),
        method=how,
        samples=len(drawn),
        temperature=float(warm),
        features=network.name,
        feature_dimensions=real.shape[1],
        accuracy=network.accuracy,
    )
    metrics = []

    def add(name: str, value: float, known: Protocol, deviation: float | None = None) -> None:
        if name in wanted:
            metrics.append(Metric(name + network.suffix, value, "", known, deviation=deviation))

    if "fid" in wanted:
        progress.show("FID", 0, 1)
        add("fid", frechet.frechet_distance(real, drawn), protocol)
        progress.show("FID", 1, 1)
    if "kid" in wanted:
        progress.show("KID", 0, 1)
        value, deviation = kernel.kernel_distance(real, drawn, plan.seed)
        known = replace(protocol, subsets=subsets, subset_size=size)
        add("kid", value, known, deviation if subsets > 1 else None)
        progress.show("KID", 1, 1)
    if {"precision", "recall"} & set(wanted):
        on = model.device if model.device.type == "cuda" else torch.device("cpu")

        def show(done: int, total: int) -> None:
            progress.show("precision and recall", done, total)

        precision, recall = neighbors.precision_recall(real.to(on), drawn.to(on), k, show)
        known = replace(protocol, neighbors=k)
        add("precision", precision, known)
        add("recall", recall, known)
    return metrics


def _real_features(
    model: Model, data: Dataset, plan: Plan, network: FeatureNetwork, progress: Progress
) -> Tensor:
    total = _images(data, plan)

    def images() -> Iterator[Tensor]:
        left = total
        for batch in in_order(data.splits[plan.split], data.image_spec, BATCH_SIZE, model.device):
            yield batch.images[:left]
            left -= len(batch)
            if left <= 0:
                return

    def name(index: int) -> str:
        return f"image {index} of the {plan.split} split"

    return features_of(network, images(), name, _shown("looking at images", total, progress))


def _drawn_features(
    model: Model, data: Dataset, plan: Plan, network: FeatureNetwork, progress: Progress
) -> Tensor:
    total = _samples(data, plan)

    def samples() -> Iterator[Tensor]:
        done = 0
        waiting: list[Tensor] = []
        for part in model.stream(total, seed=plan.seed, temperature=plan.temperature):
            if bad := first_bad(part):
                raise ZooError(
                    f"sample {done + bad - 1} of seed {plan.seed} is not finite: evaluate at a "
                    "lower --temperature, or take weights from before the run diverged"
                )
            done += len(part)
            waiting.append(part)
            if sum(map(len, waiting)) >= BATCH_SIZE or done == total:
                yield torch.cat(waiting)
                waiting.clear()

    def name(index: int) -> str:
        return f"sample {index} of seed {plan.seed}"

    return features_of(network, samples(), name, _shown("drawing samples", total, progress))


def _shown(what: str, total: int, progress: Progress) -> Callable[[int], None]:
    return lambda done: progress.show(what, done, total)
