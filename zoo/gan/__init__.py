"""Generative adversarial networks: networks, losses and the objective shared by GAN plugins.

A plugin derives its configuration from :class:`GANConfig`, wraps its layers in
:class:`zoo.gan.networks.Generator` and :class:`zoo.gan.networks.Critic`, and trains them with
:class:`zoo.gan.objective.GANObjective`. The critic is the discriminator of Goodfellow et al.
(2014), without its sigmoid. This package imports no torch until one of its modules is imported.
"""

from zoo.gan.checks import check_image_size, check_lipschitz
from zoo.gan.config import GANConfig

__all__ = ["GANConfig", "check_image_size", "check_lipschitz"]
