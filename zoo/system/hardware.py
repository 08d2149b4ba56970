"""What a run was trained on: recorded in its config.json, and said in its card."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def hardware(device: torch.device, processes: int = 1) -> dict[str, Any]:
    """``device`` as torch calls it without its number, the ``name`` of that GPU or processor, how
    many ``cores`` the machine has, and how many ``threads`` each of so many ``processes`` takes."""
    import torch

    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
    return {
        "device": device.type,
        "name": name,
        "cores": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "processes": processes,
    }


def hardware_text(found: Mapping[str, Any]) -> str:
    """``"AMD EPYC, 2 cores; 1 thread"``: :func:`hardware` in words, empty where nothing is known.

    A GPU's run is told without cores and threads.
    """
    if not found:
        return ""
    processes, threads, cores = found["processes"], found["threads"], found["cores"]
    if found["device"] == "cuda":
        return f"{processes} x {found['name']}" if processes > 1 else str(found["name"])
    used = f"{threads} thread{'s' * (threads > 1)}"
    if processes > 1:
        used = f"{processes} processes of {used}"
    return f"{found['name']}, {cores} core{'s' * (cores > 1)}; {used}"


def processor() -> str:
    """The processor's name as the system has it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (names[0] if names else platform.processor()) or platform.machine()
