"""The machine that something was shown or measured on: its GPU, and the versions of what ran."""

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
    """``device`` ``"cuda"`` or ``"cpu"``, the GPU's name, memory, driver and CUDA where there is
    one, the processor, and versions of packages; None for what is not there."""
    import torch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    found: dict[str, Any] = {
        "device": device.type,
        "hardware": hardware(device),
        "gpu": None,
        "python": platform.python_version(),
        "system": platform.platform(),
        "versions": {name: _version(name) for name in PACKAGES},
    }
    if device.type == "cuda":
        facts = torch.cuda.get_device_properties(device)
        found["gpu"] = {
            "name": facts.name,
            "memory_gib": round(facts.total_memory / 2**30, 1),
            "capability": f"{facts.major}.{facts.minor}",
            "driver": _driver(),
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
            "visible": os.environ.get("CUDA_VISIBLE_DEVICES"),
        }
    return found


def words(found: dict[str, Any]) -> str:
    """The same in a line."""
    versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items() if number)
    gpu = found["gpu"]
    if gpu is None:
        return f"CPU: {hardware_text(found['hardware'])}; {versions}"
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
    asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
    return next(iter(done.stdout.split()), None) if done.returncode == 0 else None
