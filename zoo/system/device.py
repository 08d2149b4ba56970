"""The device of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.errors import UsageError, ZooError

if TYPE_CHECKING:
    import torch


KINDS = ("cpu", "cuda", "mps")


def check_device_name(name: str) -> None:
    """Raises UsageError for a name that is no device of any machine, without torch."""
    kind, colon, index = name.partition(":")
    if name != "auto" and (kind not in KINDS or (colon and not index.isdecimal())):
        raise _no_device(name)


def choose_device(name: str) -> torch.device:
    """Returns a device of torch; ``"auto"`` is CUDA where available, else the CPU.

    Raises UsageError for an unknown or unsupported device, ZooError for an unavailable one.
    """
    check_device_name(name)
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:  # an index that is too large
        raise _no_device(name) from None
    if device.type == "cuda":
        if not torch.cuda.is_available():
            built = torch.version.cuda
            reason = "torch finds no GPU" if built else "this build of torch has no CUDA"
            raise ZooError(f"--device {name}: {reason}; use --device cpu, or run zoo doctor")
        count = torch.cuda.device_count()
        if device.index is not None and device.index >= count:
            raise ZooError(f"--device {name}: the last GPU is cuda:{count - 1}")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ZooError(f"--device {name}: torch finds no Apple GPU; use --device cpu")
    return device


def _no_device(name: str) -> UsageError:
    return UsageError(f"there is no device {name!r}: use auto, cpu or cuda")
