"""Every model on CUDA: bf16 against float32, steps without synchronization, and resumed runs.

``make test-gpu`` runs the tests marked ``gpu`` and tabulates them; on the CPU the same tests run
by default with few steps. Set ``ZOO_TEST_CIFAR10`` to a source as in ``--data`` to train on real
images instead of enlarged digits on CUDA.
"""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import zoo
from zoo.data import open_data
from zoo.data.batches import Batches
from zoo.runs.folder import RunFolder
from zoo.training.loop import Loop

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]

FLOWS = ("nice", "realnvp", "glow")
MODELS = {
    "nice": ("mnist", {"couplings": 2, "width": 16}),
    "realnvp": ("cifar10", {"blocks": 1, "width": 4, "scales": 1}),
    "glow": ("cifar10", {"levels": 2, "depth": 1, "width": 8}),
    "dcgan": ("cifar10", {"width": 8, "critic_width": 8}),
    "sngan": ("cifar10", {"width": 4, "critic_width": 4}),
    "vae": ("cifar10", {"latent": 8, "width": 8, "depth": 1}),
}
"""The preset of each model, and settings that make it small enough for the CPU."""

BITS = 0.01
"""Maximum difference of a flow's mean bits/dim over 50 steps between bf16 and float32."""

ELBO = 0.005
"""Maximum difference for a VAE, relative to the negative ELBO."""

GAN_LOSS = 0.05
"""Maximum difference of a GAN's losses in its first 5 steps; later ones diverge."""

SAMPLES = 1e-3
"""Maximum difference in a pixel in [0, 1] between CPU and CUDA in float32."""

Trained = Callable[..., zoo.Run]


@pytest.fixture(scope="module")
def image_source(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Digits enlarged to the shape of MNIST or CIFAR-10, by name."""
    folder = tmp_path_factory.mktemp("images")

    def source(name: str) -> str:
        real = os.environ.get("ZOO_TEST_CIFAR10")
        if real and name == "cifar10" and torch.cuda.is_available():
            return real
        path = folder / f"{name}.npz"
        if not path.exists():
            np.savez(path, **enlarged(name))
        return str(path)

    return source


def enlarged(name: str) -> dict[str, Any]:
    """Returns arrays of the digits as 28x28 grayscale images for MNIST, or as 32x32 images with
    channels of different brightness."""
    arrays: dict[str, Any] = {}
    for split_name, split in open_data(zoo.DataConfig(source="digits")).splits.items():
        times = 3 if name == "mnist" else 4
        large = split.images.repeat(times, axis=2).repeat(times, axis=3)
        if name == "mnist":
            large = np.pad(large, [(0, 0), (0, 0), (2, 2), (2, 2)])
        else:
            shades = np.array([1.0, 0.7, 0.4])[None, :, None, None]
            large = (large * shades).astype(np.uint8)
        if split_name in ("train", "test"):
            arrays[f"{split_name}_images"] = large.transpose(0, 2, 3, 1)
            arrays[f"{split_name}_labels"] = split.labels
    return arrays


@pytest.fixture
def trained(image_source: Callable[[str], str], tmp_path: Path) -> Trained:
    """``trained(model, device, steps, ...)`` trains a run of the preset, small on the CPU."""

    def train(model: str, device: str, steps: int, out: str = "run", **changed: Any) -> zoo.Run:
        preset, small = MODELS[model]
        config = {"training.warmup_steps": 10, "training.ema_decay": 0.9, "training.batch_size": 64}
        if device == "cpu":
            config |= small | {"training.batch_size": 8}
        resume = changed.pop("resume", False)
        config |= changed.pop("config", {})
        config |= {f"training.{name}": value for name, value in changed.items()}
        return zoo.train(
            model,
            preset=preset,
            data=image_source(preset),
            steps=steps,
            config=config,
            out=tmp_path / out,
            device=device,
            resume=resume,
            quiet=True,
        )

    return train


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("model", MODELS)
def test_bf16_agrees_with_float32(
    model: str, device: str, trained: Trained, record_property: Callable[[str, Any], None]
) -> None:
    """Losses in bf16 and in float32 after equal steps agree"""
    steps = 200 if device == "cuda" else 2
    precisions = {"fp32": "fp32", "bf16": "auto" if device == "cuda" else "bf16"}
    every = 1 if model in ("dcgan", "sngan") or device == "cpu" else 50
    lines = {
        name: trained(
            model, device, steps, name, precision=precision, log_every=every
        ).folder.read_metrics()
        for name, precision in precisions.items()
    }
    assert len(lines["fp32"]) == len(lines["bf16"]) == steps // every
    if model in ("dcgan", "sngan"):
        names = ("generator_loss", "critic_loss")
        difference = max(
            abs(a[name] - b[name])
            for a, b in zip(lines["fp32"][:5], lines["bf16"][:5], strict=True)
            for name in names
        )
        record_property("largest difference of a loss, first 5 steps", difference)
        both = [*lines["fp32"], *lines["bf16"]]
        assert all(math.isfinite(line[name]) for line in both for name in names)
        assert difference <= GAN_LOSS
        return
    exact, half = (lines[precision][-1]["bits_per_dim"] for precision in ("fp32", "bf16"))
    record_property("bits/dim, float32", exact)
    record_property("bits/dim, bf16", half)
    assert abs(half - exact) <= (BITS if model in FLOWS else ELBO * exact)


@pytest.mark.gpu
@pytest.mark.parametrize("model", [*MODELS, "glow, reversible"])
def test_no_step_synchronizes_with_the_host(
    model: str,
    trained: Trained,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, Any], None],
) -> None:
    """Ten training steps and their batches run without synchronizing with the GPU"""
    name, _, reversible = model.partition(", ")
    watched = []
    step, iterate = Loop._step, Batches.iterate

    def set_sync_debug_mode(mode: str) -> None:
        torch.cuda.set_sync_debug_mode(mode)

    def watched_step(self: Loop, raws: list[Any]) -> None:
        is_checked = self.position.step >= 3  # the first steps load libraries and synchronize
        set_sync_debug_mode("error" if is_checked else "default")
        try:
            step(self, raws)
        finally:
            set_sync_debug_mode("default")
        watched.append(is_checked)

    def watched_batches(self: Batches, start: int = 0) -> Iterator[Any]:
        batches = iterate(self, start)
        yield next(batches)
        while True:
            set_sync_debug_mode("error")
            try:
                batch = next(batches)
            finally:
                set_sync_debug_mode("default")
            yield batch

    monkeypatch.setattr(Loop, "_step", watched_step)
    monkeypatch.setattr(Batches, "iterate", watched_batches)
    changed = {"memory": "reversible", "permutation": "1x1"} if reversible else {}
    run = trained(name, "cuda", 13, config=changed, log_every=100)
    record_property("steps watched", sum(watched))
    assert sum(watched) >= 10
    assert run.device.type == "cuda"


@pytest.mark.parametrize("device", DEVICES)
def test_batches_are_assembled_on_the_device(
    device: str, image_source: Callable[[str], str], record_property: Callable[[str, Any], None]
) -> None:
    """The training images are on the device as uint8, and batches equal those on the CPU"""
    data = open_data(zoo.DataConfig(source=image_source("cifar10"), size=32, channels=3))
    split, before = data.splits["train"], 0
    if device == "cuda":
        before = torch.cuda.memory_allocated()
    batches = Batches(split, data.image_spec, 16, 0, device).iterate(3)
    exact = Batches(split, data.image_spec, 16, 0, "cpu").iterate(3)
    for _ in range(3):
        raw = next(batches)
        assert (raw.pixels.device.type, raw.pixels.dtype) == (device, torch.uint8)
        assert torch.equal(raw.pixels.cpu(), next(exact).pixels)
    if device == "cuda":
        allocated = torch.cuda.memory_allocated() - before
        record_property("MiB on the GPU", allocated / 2**20)
        assert split.images.nbytes <= allocated < 1.2 * split.images.nbytes + 2**22


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("model", ["glow", "sngan"])
def test_a_resumed_run_continues_exactly(
    model: str, device: str, trained: Trained, record_property: Callable[[str, Any], None]
) -> None:
    """A run resumed at half its steps has the losses of an uninterrupted one"""
    steps = {"log_every": 1, "checkpoint_every": 2, "precision": "fp32"}
    whole = trained(model, device, 4, "whole", **steps).folder.read_metrics()
    trained(model, device, 2, "half", **steps)
    resumed = trained(model, device, 4, "half", resume=True, **steps).folder.read_metrics()
    assert [line["step"] for line in resumed] == [1, 2, 3, 4]
    name = "bits_per_dim" if model == "glow" else "critic_loss"
    difference = max(abs(a[name] - b[name]) for a, b in zip(whole, resumed, strict=True))
    record_property("largest difference of a loss", difference)
    assert difference <= (0 if device == "cpu" else 1e-3)


@pytest.mark.gpu
def test_a_killed_run_resumes_on_cuda(image_source: Callable[[str], str], tmp_path: Path) -> None:
    """A killed run on CUDA resumes from its checkpoint"""
    out = tmp_path / "run"
    command = [sys.executable, "-m", "zoo", "train", "glow", "--out", str(out), "--device", "cuda"]
    first = ["--preset", "mnist", "--data", image_source("mnist"), "--steps", "200"]
    first += ["--set", "training.checkpoint_every=20"]
    process = subprocess.Popen([*command, *first], stderr=subprocess.PIPE)
    begun = time.monotonic()
    while not (out / "checkpoints" / "step-00000020").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() - begun < 300
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (out / "checkpoints" / "step-00000200").exists()
    subprocess.run([*command, "--resume"], check=True, capture_output=True)
    assert [line["step"] for line in RunFolder(out).read_metrics()] == [*range(10, 201, 10)]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("model", MODELS)
def test_the_same_seed_generates_the_same_images(
    model: str, device: str, trained: Trained, record_property: Callable[[str, Any], None]
) -> None:
    """Samples of a seed are reproducible, and agree with the CPU in float32 without TF32"""
    path = trained(model, device, 2).path
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        run = zoo.load(path, device)
        samples = run.sample(8, seed=3)
        again = run.sample(8, seed=3)
    assert samples.isfinite().all()
    assert torch.equal(samples, again)
    difference = float((samples - zoo.load(path, "cpu").sample(8, seed=3)).abs().max())
    record_property("largest difference from the CPU", difference)
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=True):
        tf32_difference = float((run.sample(8, seed=3) - samples).abs().max())
    record_property("largest difference due to TF32", tf32_difference)
    assert difference <= SAMPLES
