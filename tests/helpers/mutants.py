"""Ways in which a plugin goes wrong in silence: text put in the place of text in a right one."""

from __future__ import annotations

from dataclasses import dataclass

HOOKS, NETWORK = "__init__.py", "model.py"


@dataclass(frozen=True)
class Mutant:
    """``changes``, old text to new, in a ``file`` of the plugin break the promises ``breaks``,
    those and no others."""

    file: str
    changes: dict[str, str]
    breaks: set[str]


MUTANTS = {
    "a log-determinant with the wrong sign": Mutant(
        NETWORK,
        {"standard_normal_log_prob(z) + log_det": "standard_normal_log_prob(z) - log_det"},
        {"density"},
    ),
    "an inverse that is only nearly one": Mutant(
        NETWORK,
        {
            "self.layers.inverse(z[:, :, None, None]) + 0.5": (
                "self.layers.inverse(z[:, :, None, None]) + 0.50001"
            )
        },
        {"inverts"},
    ),
    # A network that begins from data once more is another than was saved, and a resumed run goes
    # on from another than was broken off.
    "an actnorm that initialises again after loading": Mutant(
        NETWORK,
        {
            "[ActNorm(channels), ": "[Forgetful(channels), ",
            "def step(": '''class Forgetful(ActNorm):
    """Remembers that it was set, but not in its weights."""

    was_set = False

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if not self.was_set:
            self.was_set = True
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
    "a sampler that draws its own noise": Mutant(
        HOOKS,
        {
            "network.inverse(latents * temperature)": (
                "network.inverse(latents * temperature + 0.1 * latents.clone().normal_())"
            )
        },
        {"repeats"},
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
        HOOKS,
        {
            'description="channels inside a coupling"': (
                'description="channels inside a coupling", exclude=True'
            )
        },
        {"remembered"},
    ),
    "a buffer missing from the weights": Mutant(
        NETWORK,
        {
            "shuffle(channels), ChannelCoupling": "forgotten(channels), ChannelCoupling",
            "def step(": '''def forgotten(channels: int) -> Bijection:
    """A random order that is drawn anew when the network is."""
    layer = shuffle(channels)
    for name, order in list(layer.named_buffers()):
        layer.register_buffer(name, order, persistent=False)
    return layer


def step(''',
        },
        {"reloads"},
    ),
    "torch imported at import": Mutant(
        HOOKS,
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
