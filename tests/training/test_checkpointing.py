"""Activation checkpointing: equal steps, in less memory."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from steps import after_steps, assert_equal_weights, steps
from torch import Tensor
from torch._dynamo.testing import CompileCounterWithBackend

from zoo.training import execution

GAN = {"width": 4, "critic_width": 4}
MODELS = {
    "nice": ("nice", {"couplings": 2, "width": 8, "depth": 1}),
    "realnvp, batch normalization": ("realnvp", {"width": 2, "blocks": 1}),
    "glow in bf16": ("glow", {"depth": 1, "width": 4, "levels": 1, "training.precision": "bf16"}),
    "vae": ("vae", {"width": 4, "training.ema_decay": 0.9}),
    "dcgan, batch normalization": ("dcgan", GAN),
    "dcgan with a gradient penalty": (
        "dcgan",
        {**GAN, "loss": "wasserstein", "gradient_penalty": 10.0},
    ),
    "sngan": ("sngan", GAN),
}


@pytest.mark.parametrize("name", MODELS)
def test_recomputed_steps_equal_ordinary_ones(name: str, tmp_path: Path) -> None:
    """Running statistics, which are compared too, are updated once."""
    model, config = MODELS[name]
    ordinary, recomputed = (
        steps(model, tmp_path, "off", **config, **{"training.activation_checkpointing": on})
        for on in (False, True)
    )
    assert_equal_weights(recomputed, ordinary)


def test_compiled_and_recomputed_steps_equal_ordinary_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = CompileCounterWithBackend("aot_eager")
    monkeypatch.setattr(execution, "BACKEND", counting)
    torch._dynamo.reset()
    config = {"depth": 2, "width": 4, "levels": 1}
    ordinary = steps("glow", tmp_path, "off", **config)
    both = steps("glow", tmp_path, "on", **config, **{"training.activation_checkpointing": True})
    assert counting.frame_count == 1
    assert_equal_weights(both, ordinary, tolerance=1e-6)


def test_activations_of_couplings_are_not_kept(tmp_path: Path) -> None:
    kept = []
    for on in (False, True):
        sizes: list[int] = []

        def pack(tensor: Tensor, sizes: list[int] = sizes) -> Tensor:
            sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            config = {"depth": 2, "width": 32, "training.activation_checkpointing": on}
            after_steps(1, "glow", tmp_path, **config)
        kept.append(sum(sizes))
    assert kept[1] < kept[0] / 4
