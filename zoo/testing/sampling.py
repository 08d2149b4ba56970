"""Samples: shape, range, and dependence on their own latents alone."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from zoo.model import Model
from zoo.sampling.seeding import SCORING, seeded
from zoo.testing.promise import Broken, promise
from zoo.testing.subject import Subject

N = 7
"""Images per batch: odd, and unlikely to be a batch size that a plugin assumes."""

TEMPERATURES = (0.0, 1.0, 4.0)

TOLERANCE = 1e-3
"""Largest difference of a pixel value that another kernel may cause: a quarter of a gray level."""


@promise("samples", "samples are floats, [N, C, H, W], with random weights", ("builds",))
def samples(subject: Subject) -> str:
    images = checked_samples(subject, subject.built)
    return f"{images.dtype} {list(images.shape)}"


def checked_samples(subject: Subject, model: Model) -> Tensor:
    """Returns samples of ``model``. Raises Broken if they are not float ``[N, C, H, W]``."""
    image = subject.image
    images = subject.sample(model, subject.latents(model, N))
    if not isinstance(images, Tensor):
        raise Broken(f"zoo_sample must return a tensor, got {type(images).__name__}")
    shape = (N, image.channels, image.size, image.size)
    if tuple(images.shape) != shape or not images.is_floating_point():
        raise Broken(
            f"zoo_sample must return float {list(shape)}, got {images.dtype} {list(images.shape)}"
        )
    return images


@promise(
    "range",
    "samples are finite and in [0, 1], before and after training, at every temperature",
    ("samples",),
)
def in_range(subject: Subject) -> str:
    models: dict[str, Model] = {"random weights": subject.built}
    if subject.run is not None:
        models["trained"] = subject.run
    ranges = []
    for name, model in models.items():
        low, high = 1.0, 0.0
        for temperature in TEMPERATURES:
            images = subject.sample(model, subject.latents(model, 64), temperature)
            condition = f"{name}, temperature {temperature:g}"
            if not bool(images.isfinite().all()):
                raise Broken(f"{condition}: some values are not finite")
            low, high = min(low, images.min().item()), max(high, images.max().item())
            if low < 0 or high > 1:
                raise Broken(f"{condition}: from {low:.4g} to {high:.4g}")
        ranges.append(f"{name}: {low:.3g} to {high:.3g}")
    return "; ".join(ranges)


@promise("deterministic", "the same latents always give the same images", ("samples",))
def deterministic(subject: Subject) -> str:
    model = subject.model
    z = subject.latents(model, N)
    batches = []
    for seed in (1, 2):
        with seeded(seed, SCORING, device=subject.device):
            np.random.seed(seed)
            random.seed(seed)
            before = _generator_states(subject)
            batches.append(subject.sample(model, z))
            after = _generator_states(subject)
        if after != before:
            raise Broken("zoo_sample uses a global generator: derive everything from the latents")
    difference = distance(*batches)
    if difference > (0 if subject.device.type == "cpu" else TOLERANCE):
        raise Broken(
            f"two calls differ by up to {difference:.2g}: derive everything from the latents"
        )
    return f"two calls differ by at most {difference:.2g}"


def _generator_states(subject: Subject) -> list[object]:
    """Returns the states of all global random number generators."""
    numpy = np.random.get_state(legacy=False)["state"]
    states = [torch.get_rng_state().tolist(), numpy["key"].tolist(), numpy["pos"]]
    if subject.device.type == "cuda":
        states.append(torch.cuda.get_rng_state(subject.device).tolist())
    return [*states, random.getstate()]


@promise("varies", "different latents give different images", ("deterministic",))
def varies(subject: Subject) -> str:
    model = subject.model
    a, b = (subject.sample(model, subject.latents(model, N, seed)) for seed in (0, 1))
    equal = (a - b).abs().amax((1, 2, 3)) <= 1e-6
    if bool(equal.any()):
        raise Broken(f"{int(equal.sum())} of {N} images do not change with their latents")
    return f"mean absolute difference between two seeds: {(a - b).abs().mean().item():.2g}"


@promise("independent", "an image depends on its own latents alone", ("deterministic",))
def independent(subject: Subject) -> str:
    model = subject.model
    z, labels = subject.latents(model, N), subject.labels(model, N)
    images = subject.sample(model, z)

    def of(indices: list[int]) -> Tensor:
        return subject.sample(model, z[indices], 1.0, None if labels is None else labels[indices])

    backwards = list(range(N))[::-1]
    variants: dict[str, Callable[[], float]] = {
        "in reverse order": lambda: distance(of(backwards), images[backwards]),
        "in another batch": lambda: distance(of([0, 3, 3, 3, 3, 3, 3])[:1], images[:1]),
        "in a smaller batch": lambda: distance(of([2, 5, 6]), images[[2, 5, 6]]),
        "in a batch of one": lambda: distance(of([4]), images[[4]]),
    }
    differences = {name: measure() for name, measure in variants.items()}
    worst = max(differences, key=lambda name: differences[name])
    if differences[worst] > TOLERANCE:
        raise Broken(f"{worst}, an image differs by {differences[worst]:.2g}")
    return f"largest difference {differences[worst]:.2g}"


def distance(a: Tensor, b: Tensor) -> float:
    """Returns the largest absolute difference of two tensors of one shape; infinity for NaN."""
    difference = (a.double() - b.double()).abs().max().item()
    return difference if difference == difference else float("inf")
