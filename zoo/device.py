"""Which device a run is on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.errors import UsageError, ZooError

if TYPE_CHECKING:
    import torch


def choose_device(name: str) -> torch.device:
    """``"auto"`` is CUDA where there is one, else the CPU; other names are torch's.

    Raises UsageError for a name that torch does not know, ZooError for a device that is not here.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"there is no device {name!r}: take auto, cpu or cuda") from None
    if device.type == "cuda":
        if not torch.cuda.is_available():
            built = torch.version.cuda
            why = "torch finds no GPU" if built else "this build of torch has no CUDA"
            raise ZooError(
                f"--device {name}: {why}; take --device cpu, or see what zoo doctor says"
            )
        if device.index is not None and device.index >= torch.cuda.device_count():
            raise ZooError(
                f"--device {name}: there are {torch.cuda.device_count()} GPUs, counted from 0"
            )
    return device
