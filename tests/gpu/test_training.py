"""Every model on CUDA: bf16 beside float32, steps that wait for nothing, runs that resume.

Marked ``gpu`` are those that need one, which ``make test-gpu`` runs and tabulates; the same code
with few steps runs on the CPU in the ordinary suite. ``ZOO_TEST_CIFAR10``, a source as ``--data``
takes it, has the tests on CUDA train on real images instead of enlarged digits.
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
"""The preset of each model, and what makes it small enough for the CPU."""

BITS = 0.01
"""Most that a flow's bits/dim may differ between bf16 and float32, in the mean of 50 steps."""

ELBO = 0.005
"""The same of a VAE, as a part of the negative ELBO."""

GAME = 0.05
"""The same of a loss of a GAN in each of its first 5 steps; later ones are another game's."""

SAMPLES = 1e-3
"""Maximum difference in a pixel in [0, 1] between CPU and CUDA in float32."""

Trained = Callable[..., zoo.Run]


@pytest.fixture(scope="module")
def image_source(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Sources of as many channels and pixels as MNIST and CIFAR-10 have: the digits, enlarged."""
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
    """The digits' splits with 28 pixels a side and one channel, or 32 and three, each of another
    brightness."""
    made: dict[str, Any] = {}
    for split, found in open_data(zoo.DataConfig(source="digits")).splits.items():
        times = 3 if name == "mnist" else 4
        large = found.images.repeat(times, axis=2).repeat(times, axis=3)
        if name == "mnist":
            large = np.pad(large, [(0, 0), (0, 0), (2, 2), (2, 2)])
        else:
            shades = np.array([1.0, 0.7, 0.4])[None, :, None, None]
            large = (large * shades).astype(np.uint8)
        if split in ("train", "test"):
            made[f"{split}_images"] = large.transpose(0, 2, 3, 1)
            made[f"{split}_labels"] = found.labels
    return made


@pytest.fixture
def trained(image_source: Callable[[str], str], tmp_path: Path) -> Trained:
    """``trained(model, device, steps, ...)``: a run of the preset, small on the CPU."""

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
    taken = {"fp32": "fp32", "bf16": "auto" if device == "cuda" else "bf16"}
    every = 1 if model in ("dcgan", "sngan") or device == "cpu" else 50
    lines = {
        name: trained(
            model, device, steps, name, precision=precision, log_every=every
        ).folder.read_metrics()
        for name, precision in taken.items()
    }
    assert len(lines["fp32"]) == len(lines["bf16"]) == steps // every
    if model in ("dcgan", "sngan"):
        names = ("generator_loss", "critic_loss")
        apart = max(
            abs(a[name] - b[name])
            for a, b in zip(lines["fp32"][:5], lines["bf16"][:5], strict=True)
            for name in names
        )
        record_property("largest difference of a loss, first 5 steps", apart)
        both = [*lines["fp32"], *lines["bf16"]]
        assert all(math.isfinite(line[name]) for line in both for name in names)
        assert apart <= GAME
        return
    exact, half = (lines[precision][-1]["bits_per_dim"] for precision in ("fp32", "bf16"))
    record_property("bits/dim, float32", exact)
    record_property("bits/dim, bf16", half)
    assert abs(half - exact) <= (BITS if model in FLOWS else ELBO * exact)


@pytest.mark.gpu
@pytest.mark.parametrize("model", [*MODELS, "glow, reversible"])
def test_no_step_waits_for_the_host(
    model: str,
    trained: Trained,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, Any], None],
) -> None:
    """Ten steps with their batches, in which anything that waits for the GPU is an error"""
    name, _, reversible = model.partition(", ")
    watched = []
    step, iterate = Loop._step, Batches.iterate

    def waiting_is(mode: str) -> None:
        torch.cuda.set_sync_debug_mode(mode)

    def watched_step(self: Loop, raws: list[Any]) -> None:
        ahead = self.position.step >= 3  # the first steps load libraries
        waiting_is("error" if ahead else "default")
        try:
            step(self, raws)
        finally:
            waiting_is("default")
        watched.append(ahead)

    def watched_batches(self: Batches, start: int = 0) -> Iterator[Any]:
        found = iterate(self, start)
        yield next(found)
        while True:
            waiting_is("error")
            try:
                one = next(found)
            finally:
                waiting_is("default")
            yield one

    monkeypatch.setattr(Loop, "_step", watched_step)
    monkeypatch.setattr(Batches, "iterate", watched_batches)
    changed = {"memory": "reversible", "permutation": "1x1"} if reversible else {}
    run = trained(name, "cuda", 13, config=changed, log_every=100)
    record_property("steps watched", sum(watched))
    assert sum(watched) >= 10
    assert run.device.type == "cuda"


@pytest.mark.parametrize("device", DEVICES)
def test_batches_are_made_on_the_device(
    device: str, image_source: Callable[[str], str], record_property: Callable[[str, Any], None]
) -> None:
    """The training images are on the device as uint8, and batches are those of the CPU"""
    data = open_data(zoo.DataConfig(source=image_source("cifar10"), size=32, channels=3))
    split, before = data.splits["train"], 0
    if device == "cuda":
        before = torch.cuda.memory_allocated()
    found = Batches(split, data.image_spec, 16, 0, device).iterate(3)
    exact = Batches(split, data.image_spec, 16, 0, "cpu").iterate(3)
    for _ in range(3):
        raw = next(found)
        assert (raw.pixels.device.type, raw.pixels.dtype) == (device, torch.uint8)
        assert torch.equal(raw.pixels.cpu(), next(exact).pixels)
    if device == "cuda":
        taken = torch.cuda.memory_allocated() - before
        record_property("MiB on the GPU", taken / 2**20)
        assert split.images.nbytes <= taken < 1.2 * split.images.nbytes + 2**22


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("model", ["glow", "sngan"])
def test_a_resumed_run_goes_on_where_it_was(
    model: str, device: str, trained: Trained, record_property: Callable[[str, Any], None]
) -> None:
    """A run that stopped half-way and was resumed has the losses of one that did not stop"""
    steps = {"log_every": 1, "checkpoint_every": 2, "precision": "fp32"}
    whole = trained(model, device, 4, "whole", **steps).folder.read_metrics()
    trained(model, device, 2, "half", **steps)
    resumed = trained(model, device, 4, "half", resume=True, **steps).folder.read_metrics()
    assert [line["step"] for line in resumed] == [1, 2, 3, 4]
    name = "bits_per_dim" if model == "glow" else "critic_loss"
    apart = max(abs(a[name] - b[name]) for a, b in zip(whole, resumed, strict=True))
    record_property("largest difference of a loss", apart)
    assert apart <= (0 if device == "cpu" else 1e-3)


@pytest.mark.gpu
def test_a_killed_run_resumes_on_cuda(image_source: Callable[[str], str], tmp_path: Path) -> None:
    """A process that trains on CUDA is killed, and resumes from its checkpoint"""
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
def test_the_same_seed_draws_the_same_samples(
    model: str, device: str, trained: Trained, record_property: Callable[[str, Any], None]
) -> None:
    """Samples of a seed are the same again, and those of the CPU in float32 without TF32"""
    path = trained(model, device, 2).path
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        run = zoo.load(path, device)
        samples = run.sample(8, seed=3)
        again = run.sample(8, seed=3)
    assert samples.isfinite().all()
    assert torch.equal(samples, again)
    apart = float((samples - zoo.load(path, "cpu").sample(8, seed=3)).abs().max())
    record_property("largest difference from the CPU", apart)
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=True):
        loose = float((run.sample(8, seed=3) - samples).abs().max())
    record_property("largest difference that TF32 makes", loose)
    assert apart <= SAMPLES
