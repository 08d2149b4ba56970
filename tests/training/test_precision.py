"""Training in bf16: its losses, its default, and what stays float32."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import zoo
from zoo.api import host
from zoo.config.resolve import resolve

METRIC = {"glow": "bits_per_dim", "dcgan": "critic_loss"}


def after(steps: int, model: str, precision: str, out: Path, device: str, **config: object):
    """Trains a model; returns its run and the last value of its metric."""
    finished = zoo.train(
        model, steps=steps, precision=precision, out=out, device=device, config=config, quiet=True
    )
    lines = (finished.path / "metrics.jsonl").read_text().splitlines()
    return finished, json.loads(lines[-1])[METRIC[model]]


@pytest.mark.parametrize(
    ("model", "small"),
    [
        ("glow", {"depth": 2, "width": 16}),
        ("dcgan", {"width": 16, "critic_width": 16}),
        ("dcgan", {"critic_width": 16, "gradient_penalty": 10.0, "critic_steps": 2}),
    ],
    ids=["glow", "dcgan", "penalty"],
)
def test_bf16_losses_agree_with_float32(model: str, small: dict, tmp_path: Path) -> None:
    losses = [
        after(10, model, precision, tmp_path / precision, "cpu", **small)[1]
        for precision in ("fp32", "bf16")
    ]
    assert losses[1] == pytest.approx(losses[0], rel=0.01)


def test_under_autocast_latents_and_log_determinants_stay_float32(tmp_path: Path) -> None:
    finished, _ = after(2, "glow", "bf16", tmp_path / "run", "cpu", depth=2, width=16)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        z, log_prob = finished.network(torch.rand(2, 1, 8, 8))
    assert z.dtype == log_prob.dtype == torch.float32


@pytest.mark.parametrize("model", ["glow", "dcgan"])
def test_a_loaded_run_equals_the_one_trained_in_bf16(model: str, tmp_path: Path) -> None:
    small = {"depth": 2, "width": 16} if model == "glow" else {"width": 16, "critic_width": 16}
    finished, _ = after(
        3, model, "bf16", tmp_path / "run", "cpu", **small | {"training.ema_decay": 0.0}
    )
    loaded = zoo.load(finished.path, "cpu")
    assert torch.equal(finished.sample(4), loaded.sample(4))
    if model == "glow":
        images = torch.rand(4, 1, 8, 8)
        assert torch.equal(finished.log_prob(images), loaded.log_prob(images))


@pytest.mark.parametrize(("native", "precision"), [(True, "bf16"), (False, "no")])
def test_bf16_is_the_default_on_gpus_that_do_not_emulate_it(
    native: bool, precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zoo.training.accelerator import make_accelerator

    requested = []

    class Accelerator:
        def __init__(self, **settings: object) -> None:
            requested.append(settings["mixed_precision"])

    def supported(including_emulation: bool = True) -> bool:
        return native or including_emulation

    monkeypatch.setattr("accelerate.Accelerator", Accelerator)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    config = resolve(host().spec("glow"), None, None, [])
    make_accelerator(config, torch.device("cuda"), tmp_path, None)
    assert requested == [precision]
