"""Which runs there are, and what their papers report."""

from __future__ import annotations

from dataclasses import dataclass

NICE = (
    "NICE's paper has 4.36 bits/dim (1980.50 nats as a log-density on [0, 1]) by perceptrons of "
    "five layers of 1,000 units, at the best epoch in validation of 1,500"
)
PYTHAE = (
    "the VAE's paper has curves and no table; pythae, another implementation, reports 89.78 nats, "
    "importance-weighted with k = 200, after 500 epochs, on pictures that were made black and "
    "white by another rule, so that the two do not compare"
)
SNGAN = (
    "SN-GAN's paper counts FID in the features of Inception, 5,000 samples against 10,000 "
    "pictures; FID-CNN is another metric"
)


@dataclass(frozen=True)
class Entry:
    """A run: ``model`` with ``preset`` on the data called ``data``, seed 0.

    ``minutes`` and ``steps`` end it earlier than the preset does. ``published`` is what its paper
    reports, with the paper's own budget, ``note`` what else has to be said of that. ``name`` is
    that of its folder.
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
    Entry("nice", "nice", "mnist", "mnist", "4.36 bits/dim, 1,500 epochs", NICE),
    Entry("realnvp", "realnvp", "mnist", "mnist", "none on MNIST", minutes=12),
    Entry("glow", "glow", "mnist", "mnist", "none on MNIST", minutes=12),
    Entry("vae", "vae", "mnist", "mnist", "none", PYTHAE, minutes=5),
    Entry("dcgan", "dcgan", "mnist", "fashion_mnist", "none on Fashion-MNIST", minutes=10),
    Entry("sngan", "sngan", "mnist", "fashion_mnist", "none on Fashion-MNIST", minutes=12),
)
"""The presets for MNIST, as far as one CPU core gets in a quarter of an hour."""

GPU = (
    Entry("nice-paper", "nice", "paper", "mnist", "4.36 bits/dim, 1,500 epochs", NICE),
    Entry(
        "realnvp-cifar10",
        "realnvp",
        "cifar10",
        "cifar10",
        "3.49 bits/dim",
        "RealNVP's paper does not say for how long it trained",
    ),
    Entry(
        "glow-cifar10",
        "glow",
        "cifar10",
        "cifar10",
        "3.35 bits/dim",
        "Glow's official command trains in eight processes of 64 pictures",
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
"""The papers' own configurations, to their own ends."""

QUICK = tuple(
    Entry(one.name, one.model, "digits", "digits", "none on these digits", steps=4) for one in CPU
)
"""Says nothing of any model: it shows in a minute that all of it works."""

KINDS = {"cpu": CPU, "gpu": GPU, "quick": QUICK}
