"""Checks of a GAN's configuration, which raise UsageError."""

from __future__ import annotations

from zoo.errors import UsageError
from zoo.gan.config import GANConfig
from zoo.specs import ImageSpec


def check_image_size(image: ImageSpec) -> None:
    """Checks that the image size is a power of two and at least 8.

    For generators that double a first feature map until it has the size of the image.
    """
    if image.size < 8 or image.size & (image.size - 1):
        raise UsageError(f"data.size must be a power of two, at least 8; got {image.size}")


def check_lipschitz(config: GANConfig, *alternatives: str) -> None:
    """Checks that the Wasserstein loss comes with a constraint on the critic.

    The critic must be Lipschitz (Arjovsky et al. 2017, section 3). ``alternatives`` are settings of
    the model itself that would constrain it, for the message: ``"spectral_norm to critic"``.
    """
    if config.loss == "wasserstein" and not (config.gradient_penalty or config.clip_weights):
        settings = ", ".join([*alternatives, "gradient_penalty to 10"])
        raise UsageError(
            "model.loss = wasserstein requires a Lipschitz critic: "
            f"set {settings} or clip_weights to 0.01"
        )
