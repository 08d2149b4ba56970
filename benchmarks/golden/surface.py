"""Every name of genzoo that the golden record depends on.

When a name changes, only this module changes; what an entry of the record holds stays the same.
Where a name differs between versions, both are accepted, so that one script serves both.
"""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hashes import all_floats
from numpy.typing import NDArray
from safetensors.torch import load_file

import zoo
from zoo.config.sections import DataConfig, TrainingConfig
from zoo_onnx import OnnxModel

Array = NDArray[Any]

CHECKPOINTS = "checkpoints"
GRID = "samples/grid.png"
METRICS = "metrics.jsonl"
WEIGHTS = "model.safetensors"
SPLITS = {"data.split_rule": "position"} if "split_rule" in DataConfig.model_fields else {}
"""The split rule of versions that had no other, so that records of both are comparable."""

KEEP = {"training.keep": "last"} if "keep" in TrainingConfig.model_fields else {}
"""The weights that versions without the setting kept, likewise."""

TIMINGS = {"seconds", "images_per_second"}
"""Keys of metrics.jsonl whose values depend on the clock."""


def processor() -> str:
    """The processor's name as the system reports it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown"


def versions() -> dict[str, str]:
    """The software that the numbers depend on, beside genzoo."""
    import onnxruntime

    return {
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
        "onnxruntime": onnxruntime.__version__,
        "numpy": np.__version__,
    }


def digits(n: int) -> tuple[torch.Tensor, list[int]]:
    """The first ``n`` digits, float32 ``[n, 1, 8, 8]`` in [0, 1], and their classes."""
    with (
        resources.files("zoo.data").joinpath("digits.npz").open("rb") as file,
        np.load(file, allow_pickle=False) as archive,
    ):
        images, labels = archive["images"][:n], archive["labels"][:n]
    return torch.from_numpy(images.astype(np.float32))[:, None] / 16, [int(one) for one in labels]


# Training


def train(model: str, config: dict[str, Any], steps: int, folder: Path) -> None:
    """Train in a new folder, with the EMA of the model's digits preset, or resume in an old one."""
    resume = folder.exists()
    zoo.train(
        model,
        config=None if resume else config | SPLITS | KEEP,
        steps=steps,
        seed=0,
        out=folder,
        resume=resume,
        device="cpu",
        quiet=True,
    )


def tensors(path: Path) -> list[Array]:
    return [tensor.numpy() for tensor in load_file(path).values()]


def checkpoints(folder: Path) -> list[list[Array]]:
    """The tensors of each checkpoint, the oldest first."""
    return [tensors(path) for path in sorted((folder / CHECKPOINTS).rglob("*.safetensors"))]


def losses(folder: Path) -> list[list[float]]:
    """The sorted values of each line of metrics.jsonl, timings left out."""
    lines = map(json.loads, (folder / METRICS).read_text("utf-8").splitlines())
    return [sorted(value for key, value in one.items() if key not in TIMINGS) for one in lines]


def grid(folder: Path) -> Array:
    """The decoded pixels of the sample grid."""
    from PIL import Image

    with Image.open(folder / GRID) as image:
        return np.asarray(image)


# A run


def load(folder: Path) -> Any:
    return zoo.load(folder, "cpu")


def classes(run: Any) -> int:
    """The number of classes that a sample can be asked for; 0 if the model is unconditional."""
    return run.latent.classes


def capabilities(run: Any) -> tuple[str, ...]:
    return tuple(run.spec.capabilities)


def metrics(run: Any, n: int) -> dict[str, list[float | None]]:
    """Value, standard error and deviation of each metric on ``n`` test images, by name."""
    evaluation = run.evaluate(images=n, samples=n, importance_samples=4)
    return {one.name: [one.value, one.standard_error, one.deviation] for one in evaluation}


# Graphs


def export(run: Any, precision: str) -> dict[str, list[float]]:
    """Export to the run's folder; the numbers of each graph's parity report, by file name."""
    return {
        one.path.stem: all_floats([one.report["outputs"], one.report.get("round_trip", {})])
        for one in run.export(precision=precision)
    }


def open_graphs(folder: Path, precision: str) -> Any:
    return OnnxModel.load(folder, "cpu", threads=1, precision=precision)
