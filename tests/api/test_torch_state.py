"""Torch's defaults and modes of the caller change no result, and are left as they were."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import zoo

State = Callable[[], contextlib.AbstractContextManager[Any]]


@contextlib.contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    torch.set_default_dtype(dtype)
    try:
        yield
        assert torch.get_default_dtype() == dtype
    finally:
        torch.set_default_dtype(torch.float32)


@contextlib.contextmanager
def default_device(name: str) -> Iterator[None]:
    torch.set_default_device(name)
    try:
        yield
        assert torch.get_default_device() == torch.device(name)
    finally:
        torch.set_default_device(None)


STATES: dict[str, State] = {
    "float64": lambda: default_dtype(torch.float64),
    "float16": lambda: default_dtype(torch.float16),
    "meta": lambda: default_device("meta"),
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
}


@pytest.fixture(params=STATES)
def state(request: pytest.FixtureRequest) -> State:
    return STATES[request.param]


def test_a_run_is_loaded_and_used(trained: zoo.Run, state: State) -> None:
    images = trained.sample(3, seed=1)
    expected = [trained.encode(images), trained.log_prob(images), trained.bits_per_dim(images)]
    with state():
        run = zoo.load(trained.path, "cpu")
        actual = [run.encode(images), run.log_prob(images), run.bits_per_dim(images)]
        sampled = run.sample(3, seed=1)
    assert torch.equal(sampled, images)
    assert all(torch.equal(*pair) for pair in zip(actual, expected, strict=True))
    assert {p.dtype for p in run.network.parameters()} == {torch.float32}
    run.sample_hook(torch.zeros(2, 64), 1.0).sum().backward()


def test_a_network_is_built(state: State) -> None:
    def build() -> list[torch.Tensor]:
        torch.manual_seed(0)
        return list(zoo.build("vae", image_size=8, channels=1, width=4, depth=1).parameters())

    expected = build()
    with state():
        actual = build()
    assert all(torch.equal(*pair) for pair in zip(actual, expected, strict=True))


def test_training_gives_the_same_weights(
    state: State, made_once: Callable[..., Path], tmp_path: Path
) -> None:
    def train(folder: Path) -> zoo.Run:
        config = {"depth": 1, "width": 4}
        return zoo.train("glow", steps=2, config=config, out=folder, device="cpu", quiet=True)

    expected = made_once("trained/of-two-steps", train) / "model.safetensors"
    with state():
        run = train(tmp_path / "run")
        metrics = [run.evaluate(metrics=("bits_per_dim",)).metrics[0].value]
    assert (run.path / "model.safetensors").read_bytes() == expected.read_bytes()
    assert metrics == [run.evaluate(metrics=("bits_per_dim",)).metrics[0].value]
