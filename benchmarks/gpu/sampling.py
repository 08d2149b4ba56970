"""Sampling speed of torch, torch.compile and onnxruntime by batch size, measured as in
``zoo bench``, all in float32 without TF32."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from subjects import Subject, noise_images

import zoo
from zoo.api import host
from zoo.errors import ZooError
from zoo.model import build
from zoo.runs.folder import INITIALIZATION, RunFolder
from zoo.runs.weights import save_tensors
from zoo.sampling.seeding import INITIALIZATION as WEIGHTS_SEED
from zoo.sampling.seeding import seed_for
from zoo.system.hardware import hardware
from zoo.system.onnxruntime import require_provider
from zoo_onnx.bench import report
from zoo_onnx.bench.speed import bench

SIZES = (1, 16, 256)
BACKENDS = ("torch", "compile", "onnx")
QUICK = {"nice", "dcgan"}
"""Models of a quick test, which skips compilation."""

Row = dict[str, Any]


def rows(
    subjects: Sequence[Subject],
    quick: bool,
    seconds: float,
    device: torch.device,
    say: Callable[[str], None],
) -> list[Row]:
    """Returns a row for each subject, batch size and backend, with initial weights."""
    results: list[Row] = []
    names = tuple(name for name in BACKENDS if not quick or name != "compile")
    for subject in subjects:
        if quick and subject.model not in QUICK:
            continue
        say(f"sampling {subject.model}")
        with tempfile.TemporaryDirectory() as folder:
            try:
                results += _measure(subject, Path(folder), names, seconds, device)
            except ZooError as error:
                results.append({"model": subject.model, "failed": str(error)})
    return results


def _measure(
    subject: Subject, folder: Path, names: tuple[str, ...], seconds: float, device: torch.device
) -> list[Row]:
    require_provider(device.type)
    config = subject.config("fp32", subject.batches[0])
    assert config.data.size is not None
    data = noise_images(config.data.channels or 1, config.data.size)
    torch.manual_seed(seed_for(0, WEIGHTS_SEED))
    model = build(host().owner(subject.model), config.model, data.image_spec, torch.device("cpu"))
    cpu = hardware(torch.device("cpu"))
    RunFolder(folder).write_config(
        model=model.name,
        plugin=model.owner.plugin.reference(),
        config=config,
        image=data.image_spec,
        source=data.name,
        hardware=cpu,
        summary={},
    )
    save_tensors(folder / INITIALIZATION, model.network.state_dict())
    run = zoo.load(folder, device.type)
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        measured = report.as_json(bench(run, names, SIZES, seconds))
    return [{"model": subject.model, **speed} for speed in measured["speeds"]]
