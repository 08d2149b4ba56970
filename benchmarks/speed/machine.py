"""The machine of a measurement: its GPU, and versions of packages."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from zoo.system.hardware import hardware, hardware_text

if TYPE_CHECKING:
    import torch

PACKAGES = (
    "genzoo",
    "torch",
    "accelerate",
    "onnxruntime",
    "onnxruntime-gpu",
    "normflows",
    "pythae",
    "torch-mimicry",
)


def measured(device: torch.device) -> dict[str, Any]:
    """:func:`machine` with what the plan of a benchmark depends on: whether steps can be compiled,
    and the operations per second of a matrix product in each precision."""
    import measure
    from subjects import can_compile

    rates = {}
    for precision in measure.DTYPES:
        call, operations = measure.product(precision, device, measure.PRODUCTS[device.type][:1])
        rates[precision] = operations / min(measure.seconds_of(call, 1, device) for _ in range(3))
    return machine(device) | {
        "product_flops": rates,
        "can_compile": can_compile(),
    }


def machine(device: torch.device | None = None) -> dict[str, Any]:
    """Returns ``device`` ("cuda" or "cpu"), the GPU's name, memory, driver and CUDA, the processor,
    and versions of packages; None for what is missing."""
    import torch

    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
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


def slug(values: dict[str, Any]) -> str:
    """The name of the device's files, as in ``amd-epyc-2-threads``."""
    hardware = values["hardware"]
    text = hardware["name"]
    if values["device"] == "cpu":
        text = f"{text.partition('@')[0]} {hardware['threads']} threads"
    return "-".join(re.sub(r"\((r|tm)\)|[^a-z0-9]+", " ", text.lower()).split())


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
