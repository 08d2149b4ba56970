"""Pictures: what they are, and that they are a function of their latents and of nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from zoo.model import Model
from zoo.testing.promise import Broken, promise
from zoo.testing.subject import Subject

N = 7
"""Pictures at a time: odd, and none of the batch sizes that a plugin may have in mind."""

TEMPERATURES = (0.0, 1.0, 4.0)

NEAR = 1e-3
"""How far the sums of another kernel may move a value of a picture, a quarter of a grey level."""


@promise("draws", "it draws float pictures, [N, C, H, W], at random weights", ("builds",))
def draws(subject: Subject) -> str:
    images = check_shape(subject, subject.built)
    return f"{images.dtype} {list(images.shape)}"


def check_shape(subject: Subject, model: Model) -> Tensor:
    """Pictures of a network; Broken where they are not float [N, C, H, W]."""
    image = subject.image
    images = subject.sample(model, subject.latents(model, N))
    if not isinstance(images, Tensor):
        raise Broken(f"zoo_sample gave {type(images).__name__}, which is no tensor")
    want = (N, image.channels, image.size, image.size)
    if tuple(images.shape) != want or not images.is_floating_point():
        raise Broken(f"zoo_sample gave {images.dtype} {list(images.shape)}, not float {want}")
    return images


@promise("range", "pictures are finite and in [0, 1], random and trained, hot and cold", ("draws",))
def in_range(subject: Subject) -> str:
    models: dict[str, Model] = {"at random weights": subject.built}
    if subject.run is not None:
        models["trained"] = subject.run
    said = []
    for name, model in models.items():
        low, high = 1.0, 0.0
        for temperature in TEMPERATURES:
            images = subject.sample(model, subject.latents(model, 64), temperature)
            where = f"{name}, at temperature {temperature:g}"
            if not bool(images.isfinite().all()):
                raise Broken(f"{where}: not every value is finite")
            low, high = min(low, images.min().item()), max(high, images.max().item())
            if low < 0 or high > 1:
                raise Broken(f"{where}: from {low:.4g} to {high:.4g}")
        said.append(f"{name} from {low:.3g} to {high:.3g}")
    return "; ".join(said)


@promise("repeats", "the same latents give the same pictures: nothing is drawn inside", ("draws",))
def repeats(subject: Subject) -> str:
    model = subject.model
    z = subject.latents(model, N)
    pictures = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        before = _state(subject)
        pictures.append(subject.sample(model, z))
        if _state(subject) != before:
            raise Broken("zoo_sample draws from a global generator: take all from the latents")
    difference = distance(*pictures)
    if difference > (0 if subject.device.type == "cpu" else NEAR):
        raise Broken(f"called twice it differs by up to {difference:.2g}: it draws by itself")
    return f"called twice, the largest difference is {difference:.2g}"


def _state(subject: Subject) -> list[object]:
    """The states of the generators that code draws from without having one of its own."""
    numpy = np.random.get_state(legacy=False)["state"]
    states = [torch.get_rng_state().tolist(), numpy["key"].tolist(), numpy["pos"]]
    if subject.device.type == "cuda":
        states.append(torch.cuda.get_rng_state(subject.device).tolist())
    return [*states, random.getstate()]


@promise("varies", "other latents give other pictures", ("repeats",))
def varies(subject: Subject) -> str:
    model = subject.model
    a, b = (subject.sample(model, subject.latents(model, N, seed)) for seed in (0, 1))
    apart = (a - b).abs().amax((1, 2, 3))
    if bool((apart <= 1e-6).any()):
        raise Broken(f"{int((apart <= 1e-6).sum())} of {N} pictures are the same for other latents")
    return f"between two seeds, {(a - b).abs().mean().item():.2g} a value on average"


@promise("alone", "a picture depends on its own latents alone", ("repeats",))
def alone(subject: Subject) -> str:
    model = subject.model
    z, labels = subject.latents(model, N), subject.labels(model, N)
    whole = subject.sample(model, z)

    def of(chosen: list[int]) -> Tensor:
        return subject.sample(model, z[chosen], 1.0, None if labels is None else labels[chosen])

    backwards = list(range(N))[::-1]
    ways: dict[str, Callable[[], float]] = {
        "in another order": lambda: distance(of(backwards), whole[backwards]),
        "beside others": lambda: distance(of([0, 3, 3, 3, 3, 3, 3])[:1], whole[:1]),
        "in a smaller batch": lambda: distance(of([2, 5, 6]), whole[[2, 5, 6]]),
        "by itself": lambda: distance(of([4]), whole[[4]]),
    }
    found = {name: way() for name, way in ways.items()}
    worst = max(found, key=lambda name: found[name])
    if found[worst] > NEAR:
        raise Broken(f"{worst}, a picture differs by {found[worst]:.2g}")
    return f"the largest difference is {found[worst]:.2g}"


def distance(a: Tensor, b: Tensor) -> float:
    """The largest difference of two tensors of one shape; infinite where one is not a number."""
    found = (a.double() - b.double()).abs().max().item()
    return found if found == found else float("inf")
