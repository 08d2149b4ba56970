"""Mutations of a correct plugin: errors that only the conformance kit reveals."""

from __future__ import annotations

from dataclasses import dataclass

HOOKS, NETWORK, CONFIG = "__init__.py", "model.py", "config.py"


@dataclass(frozen=True)
class Mutant:
    """Text replacements, old to new, in a ``file`` of the plugin that break exactly the promises
    ``breaks``."""

    file: str
    changes: dict[str, str]
    breaks: set[str]


MUTANTS = {
    "a log-determinant with the wrong sign": Mutant(
        NETWORK,
        {"standard_normal_log_prob(z) + log_det": "standard_normal_log_prob(z) - log_det"},
        {"density"},
    ),
    "an inverse that is slightly off": Mutant(
        NETWORK,
        {
            "self.layers.inverse(z[:, :, None, None]) + 0.5": (
                "self.layers.inverse(z[:, :, None, None]) + 0.50001"
            )
        },
        {"inverts"},
    ),
    # A loaded network that initializes from data again differs from the saved one, and so does a
    # resumed run.
    "an actnorm that is initialized again after loading": Mutant(
        NETWORK,
        {
            "[ActNorm(channels), ": "[Reinitialized(channels), ",
            "def step(": '''class Reinitialized(ActNorm):
    """Stores whether it is initialized outside of its state dict."""

    is_set = False

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if not self.is_set:
            self.is_set = True
            self.statistics.initialize(x)
        return super().forward(x)


def step(''',
        },
        {"unchanged", "reloads", "resumes"},
    ),
    "a sampler that ignores its seed": Mutant(
        HOOKS,
        {"network.inverse(latents * temperature)": "network.inverse(0 * latents * temperature)"},
        {"varies"},
    ),
    "a sampler that adds noise": Mutant(
        HOOKS,
        {
            "network.inverse(latents * temperature)": (
                "network.inverse(latents * temperature + 0.1 * latents.clone().normal_())"
            )
        },
        {"deterministic"},
    ),
    "samples outside [0, 1]": Mutant(
        HOOKS,
        {
            "return from_unit(network.inverse(latents * temperature), network.image.bits)": (
                "levels = 2**network.image.bits\n"
                "    x = network.inverse(latents * temperature)\n"
                "    return (x * levels - 0.5) / (levels - 1)"
            )
        },
        {"range"},
    ),
    "a config field that is not saved": Mutant(
        CONFIG,
        {
            'description="hidden channels of a coupling"': (
                'description="hidden channels of a coupling", exclude=True'
            )
        },
        {"config"},
    ),
    "a buffer missing from the weights": Mutant(
        NETWORK,
        {
            "shuffle(channels), ChannelCoupling": "unsaved_shuffle(channels), ChannelCoupling",
            "def step(": '''def unsaved_shuffle(channels: int) -> Bijection:
    """A random permutation outside of the state dict."""
    layer = shuffle(channels)
    for name, order in list(layer.named_buffers()):
        layer.register_buffer(name, order, persistent=False)
    return layer


def step(''',
        },
        {"reloads"},
    ),
    "torch imported at import": Mutant(
        CONFIG,
        {"from pydantic import Field": "import torch\nfrom pydantic import Field"},
        {"imports"},
    ),
    "a batch size frozen into the graph": Mutant(
        NETWORK,
        {
            "return x.reshape(-1, ": "return x.reshape(len(z), ",
        },
        {"graphs"},
    ),
}
