"""Whether a run is compiled: the value of ``training.compile`` that config.json records."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import torch
from torch import nn

from zoo.config.sections import TrainingConfig
from zoo.specs import CompileGain, ImageSpec
from zoo.training.limits import Limits

COMPILERS = ("g++", "clang++", "c++")
"""Compilers of C++ that torch.compile may use on a CPU."""


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


def missing_compiler(device: torch.device) -> str | None:
    """Returns what torch.compile lacks on ``device``, or None."""
    if device.type == "cuda":
        from torch.utils._triton import has_triton

        return None if has_triton() else "triton, which is not installed"
    names = [name] if (name := os.environ.get("CXX")) else COMPILERS
    if any(shutil.which(name) for name in names):
        return None
    return f"a C++ compiler, and there is no {' or '.join(names)}"
