"""Games of two networks, for any plugin to build from.

A generator draws pictures from latents, and a critic (Goodfellow's discriminator, in the words of
Arjovsky et al. 2017) learns to tell them from the data's. A plugin brings the two networks and
derives its configuration from :class:`AdversarialConfig`; the objective is
:class:`zoo.gan.objective.Adversarial`. ``check_`` functions refuse what many games cannot
be played with. Nothing here imports torch, so that a plugin's configuration can be read without
it.
"""

from zoo.gan.checks import check_bounded_critic, check_doubling
from zoo.gan.config import AdversarialConfig

__all__ = ["AdversarialConfig", "check_bounded_critic", "check_doubling"]
