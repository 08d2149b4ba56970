"""The machine of a measurement: its GPU, and versions of packages."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from zoo.system.hardware import hardware, hardware_text

PACKAGES = ("genzoo", "torch", "accelerate", "onnxruntime", "onnxruntime-gpu", "normflows")


def machine() -> dict[str, Any]:
    """Returns ``device`` ("cuda" or "cpu"), the GPU's name, memory, driver and CUDA, the processor,
    and versions of packages; None for what is missing."""
    import torch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    values: dict[str, Any] = {
        "device": device.type,
        "hardware": hardware(device),
        "gpu": None,
        "python": platform.python_version(),
        "system": platform.platform(),
        "versions": {name: _version(name) for name in PACKAGES},
    }
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        values["gpu"] = {
            "name": properties.name,
            "memory_gib": round(properties.total_memory / 2**30, 1),
            "capability": f"{properties.major}.{properties.minor}",
            "driver": _driver(),
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
            "visible": os.environ.get("CUDA_VISIBLE_DEVICES"),
        }
    return values


def describe(values: dict[str, Any]) -> str:
    """Formats :func:`machine` on one line."""
    versions = ", ".join(
        f"{name} {number}" for name, number in values["versions"].items() if number
    )
    gpu = values["gpu"]
    if gpu is None:
        return f"CPU: {hardware_text(values['hardware'])}; {versions}"
    return (
        f"{gpu['name']}, {gpu['memory_gib']} GiB, driver {gpu['driver']}, CUDA {gpu['cuda']}, "
        f"cuDNN {gpu['cudnn']}; {versions}"
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _driver() -> str | None:
    if shutil.which("nvidia-smi") is None:
        return None
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return next(iter(done.stdout.split()), None) if done.returncode == 0 else None
