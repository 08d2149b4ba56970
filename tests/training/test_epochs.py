"""Resumption in the middle of an epoch, at its end and after it, on one process and on two."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import zoo

STEPS = 14
EPOCH = 7
"""Steps of an epoch: 70 training images in batches of 10."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "noise.npz"
    images = np.random.default_rng(0).integers(0, 256, (90, 8, 8), dtype=np.uint8)
    splits = np.split(images, [10 * EPOCH, 80])
    np.savez(path, train_images=splits[0], val_images=splits[1], test_images=splits[2])
    return path


def train(
    data: Path, out: Path, processes: int, checkpoint_every: int, resume: bool = False
) -> None:
    settings = {"depth": 1, "width": 8, "training.checkpoint_every": checkpoint_every}
    if processes == 1:
        options = {"batch_size": 10, "steps": STEPS, "device": "cpu", "quiet": True}
        zoo.train("glow", data=data, config=settings, out=out, resume=resume, **options)
        return
    command = [sys.executable, "-m", "zoo", "train", "glow", "--data", str(data), "--device=cpu"]
    command += [f"--steps={STEPS}", "--batch-size=10", f"--processes={processes}"]
    command += [f"--set={key}={value}" for key, value in settings.items()]
    command += ["--out", str(out), *(["--resume"] if resume else [])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("checkpoint_every", "step"),
    [(3, 12), (EPOCH, EPOCH), (EPOCH + 1, EPOCH + 1)],
    ids=["in an epoch", "at its end", "after it"],
)
@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_resumed_run_equals_an_uninterrupted_one(
    processes: int, checkpoint_every: int, step: int, data: Path, tmp_path: Path
) -> None:
    whole, out = tmp_path / "whole", tmp_path / "run"
    train(data, whole, processes, checkpoint_every)
    shutil.copytree(whole, out)
    shutil.rmtree(out / f"checkpoints/step-{STEPS:08d}")
    (out / "model.safetensors").unlink()
    assert [path.name for path in (out / "checkpoints").glob("step-*")] == [f"step-{step:08d}"]
    train(data, out, processes, checkpoint_every, resume=True)
    for name in ("model.safetensors", f"checkpoints/step-{STEPS:08d}/state.safetensors"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()
