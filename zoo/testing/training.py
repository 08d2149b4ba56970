"""Training: logged metrics are finite, and the model improves."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor

from zoo.data.batch import Batch
from zoo.data.batches import Batches
from zoo.model import Model, build
from zoo.runs.folder import BOOKKEEPING
from zoo.sampling.seeding import FIRST_BATCH, HOOK, INITIALIZATION, generator_for, seeded
from zoo.testing.promise import Broken, promise
from zoo.testing.subject import Subject
from zoo.training.loop import INITIALIZATION_IMAGES

N_IMAGES = 256


@promise("trains", "it trains, and every logged metric is finite", ("samples", "card"))
def trains(subject: Subject) -> str:
    run = subject.train("run", steps=subject.steps)
    subject.run = run
    lines = run.folder.read_metrics()
    for line in lines:
        for key, value in line.items():
            if not isinstance(value, int | float) or not math.isfinite(value):
                raise Broken(f"{key} is {value!r} at step {line['step']}")
    last = lines[-1]
    metrics = [
        f"{key} {lines[0][key]:.4g} to {last[key]:.4g}"
        for key in last
        if key not in BOOKKEEPING and key in lines[0]
    ]
    return f"{last['step']} steps in {last['seconds']:.1f} s, {', '.join(metrics)}"


@promise("learns", "training improves the score, or the energy distance of samples", ("trains",))
def learns(subject: Subject) -> str:
    batch, untrained = subject.batch(N_IMAGES), initialized(subject)
    if subject.scores:
        before, after = (
            subject.score(model, batch).mean().item() for model in (untrained, subject.trained)
        )
        values = f"{before:.2f} nats per image before training, {after:.2f} after"
    else:
        before, after = (
            energy_distance(subject.sample(model, subject.latents(model, N_IMAGES)), batch.images)
            for model in (untrained, subject.trained)
        )
        values = f"energy distance {before:.3f} before training, {after:.3f} after"
    if not after < before:
        raise Broken(f"{values}: it must decrease")
    return values


def initialized(subject: Subject) -> Model:
    """Returns the model before the first step, initialized as the training loop does."""
    training = subject.config.training
    size = max(INITIALIZATION_IMAGES, training.batch_size)
    split = subject.data.splits["train"]
    batches = Batches(split, subject.image, size, training.seed, subject.device)
    raw = next(iter(batches.iterate(0)))
    seed, device = training.seed, subject.device
    with seeded(seed, INITIALIZATION, device=device):
        model = build(subject.owner, subject.config.model, subject.image, device)
        objective = model.objective(subject.config)
    for part in [*objective.networks.values(), model.network]:
        part.to(device)
    batch = batches.make(raw, generator_for(seed, FIRST_BATCH, device=device))
    with seeded(seed, HOOK + FIRST_BATCH, device=device):
        objective.initialize(batch)
    return model.with_network(copy.deepcopy(model.network).eval())


def energy_distance(a: Tensor, b: Tensor) -> float:
    """Returns 2 E|x - y| - E|x - x'| - E|y - y'| of two sets of images (Szekely and Rizzo 2013,
    Energy statistics, section 2): 0 for equal distributions, positive otherwise."""
    x, y = a.flatten(1).double(), b.flatten(1).double()

    def within(v: Tensor) -> float:
        return (torch.cdist(v, v).sum() / (len(v) * (len(v) - 1))).item()

    return 2 * torch.cdist(x, y).mean().item() - within(x) - within(y)


@promise(
    "scores",
    "zoo_score returns finite nats, [N], at least 0 on average",
    ("trains",),
    unless=lambda subject: None if subject.scores else "the plugin has no zoo_score",
)
def scores(subject: Subject) -> str:
    batch: Batch = subject.batch(64)
    nats = subject.score(subject.trained, batch)
    if tuple(nats.shape) != (64,) or not nats.is_floating_point():
        raise Broken(f"zoo_score must return float [64], got {nats.dtype} {list(nats.shape)}")
    if not bool(nats.isfinite().all()):
        raise Broken(f"{int((~nats.isfinite()).sum())} of 64 scores are not finite")
    span = f"{nats.min().item():.1f} to {nats.max().item():.1f} nats"
    if nats.mean().item() < 0:
        raise Broken(f"{span}, {nats.mean().item():.1f} on average: a discrete image has 0 or more")
    return f"{span}, {nats.mean().item() / (batch.dimensions * math.log(2)):.3f} bits/dim"
