"""The reference runs, and the metrics that their papers report."""

from __future__ import annotations

from dataclasses import dataclass

NICE = (
    "NICE's paper has 4.36 bits/dim (1980.50 nats as a log-density on [0, 1]) with MLPs of five "
    "layers of 1,000 units, at the best of 1,500 epochs by validation"
)
SMALL_NICE = f"{NICE}; ours has two layers of 400 units, 1.9 million parameters to the paper's 19.2"
PYTHAE = (
    "the VAE's paper has curves, not a table; pythae, another implementation, reports 89.78 nats, "
    "importance-weighted with k = 200, after 500 epochs, on images binarized by another rule, so "
    "the two do not compare"
)
SNGAN = (
    "SN-GAN's paper counts FID in the features of Inception, 5,000 samples against 10,000 "
    "images; FID-CNN is another metric"
)


@dataclass(frozen=True)
class Entry:
    """A run of ``model`` with ``preset`` on ``data``, seed 0; ``name`` is that of its folder.

    ``minutes`` and ``steps`` end it earlier than the preset. ``published`` is the paper's metric
    with its training budget, ``note`` a remark on it.
    """

    name: str
    model: str
    preset: str
    data: str
    published: str
    note: str = ""
    minutes: float | None = None
    steps: int | None = None


CPU = (
    Entry("nice", "nice", "mnist", "mnist", "4.36 bits/dim, 1,500 epochs", SMALL_NICE),
    Entry("realnvp", "realnvp", "mnist", "mnist", "none on MNIST", minutes=12),
    Entry("glow", "glow", "mnist", "mnist", "none on MNIST", minutes=12),
    Entry("vae", "vae", "mnist", "mnist", "none", PYTHAE, minutes=5),
    Entry("dcgan", "dcgan", "mnist", "fashion_mnist", "none on Fashion-MNIST", minutes=10),
    Entry("sngan", "sngan", "mnist", "fashion_mnist", "none on Fashion-MNIST", minutes=12),
)
"""The presets for MNIST, each for at most a quarter of an hour on one CPU core."""

GPU = (
    Entry("nice-paper", "nice", "paper", "mnist", "4.36 bits/dim, 1,500 epochs", NICE),
    Entry(
        "realnvp-cifar10",
        "realnvp",
        "cifar10",
        "cifar10",
        "3.49 bits/dim",
        "RealNVP's paper does not state its training time",
    ),
    Entry(
        "glow-cifar10",
        "glow",
        "cifar10",
        "cifar10",
        "3.35 bits/dim",
        "Glow's official command trains in eight processes of 64 images",
    ),
    Entry("vae-pythae", "vae", "pythae", "mnist", "none", PYTHAE),
    Entry("dcgan-cifar10", "dcgan", "cifar10", "cifar10", "no FID"),
    Entry("sngan-cifar10", "sngan", "cifar10", "cifar10", "FID 25.5, 100,000 steps", SNGAN),
    Entry(
        "sngan-cifar10-resnet",
        "sngan",
        "cifar10-resnet",
        "cifar10",
        "FID 21.7 ± 0.21, 100,000 steps",
        SNGAN,
    ),
)
"""The papers' own configurations and training budgets."""

QUICK = tuple(
    Entry(entry.name, entry.model, "digits", "digits", "none on these digits", steps=4)
    for entry in CPU
)
"""Tests the whole pipeline in a minute; its metrics mean nothing."""

KINDS = {"cpu": CPU, "gpu": GPU, "quick": QUICK}
