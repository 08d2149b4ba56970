"""Settings that are valid alone but not together or for their images have an error message; every
other combination generates samples."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
import torch
from contract import SHIPPED

import zoo
from zoo.api import host
from zoo.config.resolve import Setting, validate
from zoo.config.sections import Config, DataConfig, TrainingConfig
from zoo.errors import UsageError
from zoo.testing.configuration import choices

TINY: dict[str, dict[str, Any]] = {
    "dcgan": {"latent": 3, "width": 2, "critic_width": 2},
    "glow": {"levels": 1, "depth": 1, "width": 2},
    "nice": {"couplings": 2, "width": 2, "depth": 1},
    "realnvp": {"scales": 1, "blocks": 1, "width": 2},
    "sngan": {"latent": 3, "width": 2, "critic_width": 2},
    "vae": {"latent": 2, "width": 2, "depth": 0},
}
LIPSCHITZ = "model.loss = wasserstein requires a Lipschitz critic: set "
NO_LABELS = "model.conditional = true needs data with labels, and these have none"
BATCH_OF_ONE = (
    "training.batch_size must be at least 2 for batch normalization of a dense layer; got 1"
)

COMBINATIONS = [
    *[
        (model, {}, {"image_size": size}, f"must be a power of two, at least 8; got {size}")
        for model in ("dcgan", "sngan")
        for size in (2, 4, 12, 28, 1000)
    ],
    ("dcgan", {"loss": "wasserstein"}, {}, LIPSCHITZ + "gradient_penalty to 10 or clip_weights to"),
    (
        "sngan",
        {"loss": "wasserstein", "spectral_norm": "none"},
        {},
        LIPSCHITZ + "spectral_norm to critic, gradient_penalty to 10 or clip_weights to 0.01",
    ),
    ("dcgan", {}, {"batch_size": 1}, BATCH_OF_ONE),
    ("sngan", {}, {"batch_size": 1}, BATCH_OF_ONE),
    ("sngan", {"architecture": "resnet"}, {"batch_size": 1}, None),
    ("sngan", {"loss": "wasserstein"}, {}, None),
    (
        "glow",
        {"levels": 3},
        {"image_size": 28},
        "model.levels = 3 needs data.size to be a multiple of 8",
    ),
    ("glow", {}, {"image_size": 7}, "to be a multiple of 2, got 7"),
    ("glow", {"conditional": True}, {}, NO_LABELS),
    ("glow", {"conditional": True}, {"classes": 3}, None),
    ("realnvp", {"scales": 4}, {"image_size": 28}, "model.scales = 4 needs data.size to be a m"),
    ("realnvp", {"checkerboard": False}, {"image_size": 7}, "or set model.checkerboard to true"),
    ("realnvp", {}, {"image_size": 7}, None),
    ("nice", {}, {"image_size": 7}, None),
    (
        "vae",
        {"likelihood": "bernoulli"},
        {"bits": 8},
        "requires data.bits = 1; got 8: set data.bits to 1",
    ),
    ("vae", {}, {"image_size": 7}, "set data.size to an even number, or model.network to mlp"),
    ("vae", {"network": "mlp"}, {"image_size": 7}, None),
    ("vae", {"conditional": True}, {}, NO_LABELS),
]

POWER_OF_TWO = r"data\.size must be a power of two, at least 8; got [236]"
REFUSALS = {
    "dcgan": f"{POWER_OF_TWO}|{re.escape(LIPSCHITZ)}gradient_penalty to 10 or clip_weights to 0.01",
    "glow": r"model\.levels = 1 needs data\.size to be a multiple of 2, got 3: change data\.size",
    "nice": None,
    "realnvp": r"model\.scales = 1 needs data\.size to be a multiple of 2, got 3: "
    r"change data\.size, or set model\.checkerboard to true",
    "sngan": POWER_OF_TWO,
    "vae": r"model\.network = convolutional requires an even image size; got 3: "
    r"set data\.size to an even number, or model\.network to mlp",
}
"""The messages that a choice of each model may be refused with at 2, 3, 6, 8 or 16 pixels."""


def sample_once(
    model: str, config: dict[str, Any], image: dict[str, int], batch_size: int = 2
) -> None:
    """Builds the model and its objective, and generates two samples."""
    values = TINY[model] | config
    image_spec = {"image_size": 8, "channels": 1, "classes": 0, "bits": 4} | image
    network = zoo.build(model, **values, **image_spec)
    settings = [Setting("model", key, value, key) for key, value in values.items()]
    section = validate(host().spec(model), settings).model
    training = TrainingConfig(batch_size=batch_size)
    host().owner(model).call(
        "zoo_train", network=network, config=Config(section, DataConfig(), training)
    )
    network.eval()
    z = torch.rand(2, network.latent.size)
    labels = torch.tensor([0, 1]) if network.latent.classes else None
    with torch.no_grad():
        images = (
            host()
            .owner(model)
            .call("zoo_sample", network=network, latents=z, temperature=0.7, labels=labels)
        )
    assert images.shape == (
        2,
        image_spec["channels"],
        image_spec["image_size"],
        image_spec["image_size"],
    )
    assert bool(images.isfinite().all())


@pytest.mark.parametrize(("model", "config", "others", "message"), COMBINATIONS, ids=str)
def test_invalid_combinations_raise_one_sentence(
    model: str, config: dict[str, Any], others: dict[str, int], message: str | None
) -> None:
    others = dict(others)
    batch_size = others.pop("batch_size", 2)
    if message is None:
        sample_once(model, config, others, batch_size)
        return
    with pytest.raises(UsageError) as error:
        sample_once(model, config, others, batch_size)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("model", SHIPPED)
def test_every_choice_at_every_size_samples_or_is_refused(model: str) -> None:
    sampled, refused = 0, []
    variants: list[dict[str, Any]] = [{}]
    for key, field in host().spec(model).config.model_fields.items():
        variants += [{key: v} for v in choices(field.annotation) if v is not None]
    for size, variant in itertools.product((2, 3, 6, 8, 16), variants):
        image = {"image_size": size, "channels": 3 if size == 8 else 1}
        if variant.get("likelihood") == "bernoulli":
            image["bits"] = 1
        if variant.get("conditional"):
            image["classes"] = 3
        try:
            sample_once(model, variant, image)
            sampled += 1
        except UsageError as error:
            refused.append(str(error))
    expected = REFUSALS[model]
    assert bool(refused) == (expected is not None)
    assert not [text for text in refused if not re.fullmatch(expected or "", text)]
    assert sampled >= 2 * (len(variants) - 1), "every choice works at 8 and 16 pixels"
