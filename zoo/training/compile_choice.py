"""Whether a run is compiled: the value of ``training.compile`` that config.json records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import torch
from torch import nn

from zoo.config.sections import TrainingConfig
from zoo.specs import CompileGain, ImageSpec
from zoo.training.compilation import missing_compiler
from zoo.training.limits import Limits


def choose_compile(
    training: TrainingConfig,
    gains: Sequence[CompileGain],
    precision: str,
    billions: float,
    limits: Limits,
    device: torch.device,
    say: Callable[[str], None],
) -> Literal["on", "off"]:
    """Returns whether a run is compiled; says so if that cannot be.

    ``auto`` is on where a measurement among ``gains`` is of this kind of device and ``precision``
    and the run is expected to save more time than compilation takes. ``billions`` is that of
    :func:`work_of`.
    """
    on = training.compile == "on"
    if training.compile == "auto":
        on = any(
            gain.saved_seconds(billions, limits.steps, limits.seconds) > gain.compile_seconds
            for gain in gains
            if (gain.device, gain.precision) == (device.type, precision)
        )
    if on and (missing := missing_compiler(device)) is not None:
        say(f"training without torch.compile, which needs {missing}")
        return "off"
    return "on" if on else "off"


def work_of(networks: Iterable[nn.Module], images: int, image: ImageSpec) -> float:
    """Returns the work of a step on ``images`` images, in billions: a bound on the multiplications
    of a forward pass, in which each weight of a convolution is used at every pixel."""
    pixels = image.size**2
    weights = sum(
        parameter.numel() * (pixels if parameter.ndim > 2 else 1)
        for network in networks
        for parameter in network.parameters()
    )
    return weights * images / 1e9
