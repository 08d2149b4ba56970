"""What a game cannot be played with, each said in one sentence."""

from __future__ import annotations

from zoo.errors import UsageError
from zoo.gan.config import AdversarialConfig
from zoo.specs import ImageSpec


def check_doubling(model: str, image: ImageSpec) -> None:
    """For a generator that doubles a first size of a few pixels until it has the picture's.

    Raises UsageError, which names ``model``, for a side that is no power of two from 8 on.
    """
    if image.size < 8 or image.size & (image.size - 1):
        raise UsageError(
            f"{model} doubles a few pixels to the picture's size, which {image.size} a side cannot "
            "be: set data.size to 8, 16, 32, 64 or another power of two"
        )


def check_bounded_critic(rules: AdversarialConfig, *others: str) -> None:
    """For a critic that nothing but the rules bounds, which the Wasserstein loss needs (Arjovsky et
    al. 2017, section 3).

    ``others`` are the model's own ways to bound it, none of them taken, as a user sets them:
    ``"spectral_norm to critic"``. Raises UsageError where the rules take none either.
    """
    if rules.loss == "wasserstein" and not (rules.gradient_penalty or rules.clip_weights):
        ways = ", ".join([*others, "gradient_penalty to 10"])
        raise UsageError(
            "model.loss = wasserstein needs a critic that is bounded: "
            f"set {ways} or clip_weights to 0.01"
        )
