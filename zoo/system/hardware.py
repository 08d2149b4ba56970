"""The hardware of a training, for config.json and the model card."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def hardware(device: torch.device, processes: int = 1) -> dict[str, Any]:
    """Returns the type of ``device``, the ``name`` of the GPU or processor, the number of ``cores``
    of the machine, and of ``processes`` and ``threads`` per process."""
    import torch

    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
    return {
        "device": device.type,
        "name": name,
        "cores": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "processes": processes,
    }


def hardware_text(stored: Mapping[str, Any]) -> str:
    """Returns the result of :func:`hardware` as text, such as ``"AMD EPYC, 2 cores; 1 thread"``.

    Empty for an empty mapping; without cores and threads for a GPU.
    """
    if not stored:
        return ""
    processes, threads, cores = stored["processes"], stored["threads"], stored["cores"]
    if stored["device"] == "cuda":
        return f"{processes} x {stored['name']}" if processes > 1 else str(stored["name"])
    used = f"{threads} thread{'s' * (threads > 1)}"
    if processes > 1:
        used = f"{processes} processes of {used}"
    return f"{stored['name']}, {cores} core{'s' * (cores > 1)}; {used}"


def processor() -> str:
    """Returns the processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (names[0] if names else platform.processor()) or platform.machine()
