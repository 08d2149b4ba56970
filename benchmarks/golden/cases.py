"""Contents of the golden record: configurations of every model and the calls made with each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import surface
from hashes import array_hash, multiset

STEPS = 40
IMAGES = 20
"""More than one chunk of 16, and not a multiple of it."""

FEW = 3


@dataclass(frozen=True)
class Case:
    """A model, the keys that differ from its digits preset, and which slow parts are included."""

    model: str
    config: dict[str, Any]
    evaluate: bool = False
    precisions: tuple[str, ...] = ("fp32",)


CASES = {
    "nice": Case("nice", {"couplings": 4, "width": 16}, evaluate=True),
    "realnvp": Case("realnvp", {"scales": 2, "blocks": 1, "width": 4}, evaluate=True),
    "glow": Case("glow", {"levels": 2, "depth": 2, "width": 8, "conditional": True}, evaluate=True),
    "vae": Case("vae", {"width": 16, "depth": 1, "conditional": True}, evaluate=True),
    "dcgan": Case(
        "dcgan", {"width": 8, "critic_width": 8}, evaluate=True, precisions=("fp32", "fp16")
    ),
    "sngan": Case("sngan", {"width": 8, "critic_width": 8, "spectral_norm": "both"}, evaluate=True),
    "nice-affine": Case(
        "nice",
        {
            "couplings": 3,
            "width": 16,
            "split": "half",
            "permutation": "lu",
            "coupling": "affine",
            "scaling": "zero",
            "prior": "normal",
        },
    ),
    "realnvp-additive": Case(
        "realnvp",
        {
            "blocks": 1,
            "width": 4,
            "coupling": "additive",
            "permutation": "shuffle",
            "norm": "actnorm",
        },
    ),
    "realnvp-channels": Case(
        "realnvp",
        {"blocks": 1, "width": 4, "checkerboard": False, "permutation": "reverse", "norm": "none"},
        precisions=(),
    ),
    "glow-additive": Case(
        "glow",
        {"depth": 2, "width": 8, "permutation": "1x1", "coupling": "additive", "actnorm": "zero"},
    ),
    "glow-reversible": Case(
        "glow",
        {
            "depth": 2,
            "width": 8,
            "permutation": "shuffle",
            "scale": "sigmoid",
            "memory": "reversible",
            "data.flip": True,
        },
        precisions=(),
    ),
    "vae-convolutional": Case(
        "vae",
        {
            "network": "convolutional",
            "width": 4,
            "depth": 1,
            "likelihood": "gaussian",
            "scale": "shared",
            "beta": 0.5,
            "free_bits": 0.1,
        },
    ),
    "vae-bernoulli": Case(
        "vae",
        {"width": 16, "depth": 1, "activation": "tanh", "likelihood": "bernoulli", "data.bits": 1},
        precisions=(),
    ),
    "dcgan-wasserstein": Case(
        "dcgan",
        {
            "width": 8,
            "critic_width": 8,
            "kernel": 5,
            "noise": "normal",
            "loss": "wasserstein",
            "clip_weights": 0.01,
            "critic_steps": 2,
            "training.optimizer": "rmsprop",
        },
        precisions=(),
    ),
    "sngan-resnet": Case(
        "sngan",
        {
            "width": 8,
            "critic_width": 8,
            "architecture": "resnet",
            "generator_batches": 2,
            "gradient_penalty": 10.0,
            "training.decay": "cosine",
        },
    ),
}


def entries(name: str, folder: Path) -> Iterator[tuple[str, Any]]:
    """Train the case ``name`` in ``folder``; yields each entry's name and value."""
    case = CASES[name]
    surface.train(case.model, case.config, STEPS // 2, folder)
    surface.train(case.model, case.config, STEPS, folder)
    yield "weights", multiset(surface.tensors(folder / surface.WEIGHTS))
    for index, checkpoint in enumerate(surface.checkpoints(folder)):
        yield f"checkpoint {index}", multiset(checkpoint)
    yield "losses", surface.losses(folder)
    yield "grid", array_hash(surface.grid(folder))
    run = surface.load(folder)
    can = surface.capabilities(run)
    yield from _sampled(run, surface.classes(run))
    images, labels = surface.digits(IMAGES)
    given = labels if surface.classes(run) else None
    if "encode" in can:
        yield from _encoded(run, images, given, "log_prob" in can)
        bits = run.bits_per_dim(images, labels=given, seed=5)
        yield "bits per dim", array_hash(bits.numpy())
    if case.evaluate:
        for metric, values in surface.metrics(run, 64).items():
            yield f"metric {metric}", values
    for precision in case.precisions:
        for graph, numbers in surface.export(run, precision).items():
            yield f"parity {graph}", numbers
        model = surface.open_graphs(folder, precision)
        found = [*_sampled(model, surface.classes(model))]
        if "encode" in can:
            found += _encoded(model, images.numpy(), given, "log_prob" in can)
        for what, value in found:
            yield f"onnx {precision} {what}", value


def _sampled(model: Any, classes: int) -> Iterator[tuple[str, str]]:
    """Samples and interpolations of a run or of its graphs."""
    labels = [7 * i % classes for i in range(IMAGES)] if classes else None
    few = labels and labels[:FEW]
    for what, images in {
        "sample": model.sample(IMAGES, seed=0),
        "sample few": model.sample(FEW, seed=11, temperature=0.6, labels=few),
        "sample many": model.sample(IMAGES, seed=2**40 + 1, temperature=1.1, labels=labels),
        "interpolate": model.interpolate(FEW, 6, seed=3, temperature=0.9, labels=few),
    }.items():
        yield what, array_hash(_numpy(images))


def _encoded(model: Any, images: Any, labels: Any, log_prob: bool) -> Iterator[tuple[str, str]]:
    """Latents, log-densities and reconstructions of a run or of its graphs."""
    few = labels and labels[:FEW]
    latents = model.encode(images, labels=labels)
    yield "encode", array_hash(_numpy(latents))
    yield "encode few", array_hash(_numpy(model.encode(images[:FEW], labels=few)))
    decoded = model.decode(latents, labels=labels, temperature=0.8)
    yield "decode", array_hash(_numpy(decoded))
    if log_prob:
        yield "log prob", array_hash(_numpy(model.log_prob(images, labels=labels)))
    if hasattr(model, "reconstruct"):
        yield "reconstruct", array_hash(_numpy(model.reconstruct(images, labels=labels)))


def _numpy(value: Any) -> Any:
    return value.numpy() if hasattr(value, "numpy") else value
