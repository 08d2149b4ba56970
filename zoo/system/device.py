"""Which device a run is on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.errors import UsageError, ZooError

if TYPE_CHECKING:
    import torch


KINDS = ("cpu", "cuda", "mps")


def choose_device(name: str) -> torch.device:
    """``"auto"`` is CUDA where there is one, else the CPU; other names are torch's.

    Raises UsageError for a name that is no device to train on, ZooError for one that is not here.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in KINDS:
        raise UsageError(f"there is no device {name!r}: take auto, cpu or cuda")
    if device.type == "cuda":
        if not torch.cuda.is_available():
            built = torch.version.cuda
            why = "torch finds no GPU" if built else "this build of torch has no CUDA"
            raise ZooError(
                f"--device {name}: {why}; take --device cpu, or see what zoo doctor says"
            )
        count = torch.cuda.device_count()
        if device.index is not None and device.index >= count:
            raise ZooError(f"--device {name}: the highest is cuda:{count - 1}")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ZooError(f"--device {name}: torch finds no Apple GPU; take --device cpu")
    return device
