"""A run's configuration: what can be set, its defaults and bounds.

Three sections, ``model``, ``data`` and ``training``; two levels, ``section.key``. How files,
presets and flags are laid over the defaults is in :mod:`zoo.config.resolve`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from zoo.specs import ModelConfig, Section

SECTIONS = ("model", "data", "training")

MANY = 10**9
"""More than any run needs: the bound of what has no other, so that sums with it stay numbers."""


class DataConfig(Section):
    """Where the pictures come from, and what is done to them."""

    source: Annotated[
        str, Field(description="a name, user/dataset, folder, parquet or .npz", min_length=1)
    ] = "digits"
    size: Annotated[
        int | None, Field(ge=2, le=1024, description="pixels a side; null: as they are")
    ] = None
    channels: Annotated[
        Literal[1, 3] | None, Field(description="1 grey, 3 colour; null: as they are")
    ] = None
    bits: Annotated[
        int, Field(ge=1, le=8, description="bits of a pixel value that are modelled")
    ] = 8
    pad: Annotated[
        int, Field(ge=0, le=64, description="black border a smaller picture may get, pixels a side")
    ] = 0
    flip: Annotated[bool, Field(description="mirror half of the training pictures")] = False
    workers: Annotated[
        int, Field(ge=0, le=256, description="processes that decode what does not fit in memory")
    ] = 2
    resident_gib: Annotated[
        float, Field(ge=0, le=MANY, description="sets up to this size, in GiB, live on the device")
    ] = 4.0


class TrainingConfig(Section):
    """How long, how fast and how carefully."""

    steps: Annotated[int | None, Field(ge=1, le=MANY, description="stop after so many steps")] = (
        None
    )
    epochs: Annotated[
        float | None, Field(gt=0, le=MANY, description="stop after so many epochs")
    ] = None
    minutes: Annotated[
        float | None, Field(gt=0, le=MANY, description="stop after so many minutes")
    ] = None
    batch_size: Annotated[int, Field(ge=1, le=65536, description="pictures a step")] = 64
    optimizer: Annotated[Literal["adam", "adamax", "rmsprop"], Field(description="kind")] = "adam"
    learning_rate: Annotated[float, Field(gt=0, le=1, description="highest, after warm-up")] = 1e-3
    beta1: Annotated[float, Field(ge=0, lt=1, description="momentum")] = 0.9
    beta2: Annotated[float, Field(ge=0, lt=1, description="of squared gradients")] = 0.999
    epsilon: Annotated[
        float, Field(gt=0, le=1, description="added to the root of squared gradients")
    ] = 1e-8
    weight_decay: Annotated[float, Field(ge=0, le=1, description="L2 penalty")] = 0.0
    warmup_steps: Annotated[int, Field(ge=0, le=MANY, description="steps of linear warm-up")] = 0
    decay: Annotated[
        Literal["none", "linear", "cosine"],
        Field(description="of the learning rate, to 0 at the end"),
    ] = "none"
    clip_norm: Annotated[
        float | None, Field(gt=0, le=MANY, description="longest gradient; null: any length")
    ] = None
    ema_decay: Annotated[
        float, Field(ge=0, lt=1, description="decay of the weights' running average; 0: none")
    ] = 0.0
    precision: Annotated[
        Literal["auto", "fp32", "bf16"],
        Field(description="of the networks; auto: bf16 on CUDA, fp32 elsewhere"),
    ] = "auto"
    seed: Annotated[int, Field(ge=0, le=2**32 - 1, description="of weights, order and draws")] = 0
    checkpoint_every: Annotated[
        int, Field(ge=1, le=MANY, description="steps between checkpoints")
    ] = 500
    log_every: Annotated[
        int, Field(ge=1, le=MANY, description="steps between lines of metrics.jsonl")
    ] = 10


LIMITS = ("steps", "epochs", "minutes")
"""The keys of ``training`` that say when to stop: a resumed run may change them alone."""


@dataclass(frozen=True)
class Config:
    """A run's whole configuration."""

    model: ModelConfig
    data: DataConfig
    training: TrainingConfig

    def dump(self) -> dict[str, dict[str, Any]]:
        """Every value, by section and key, as JSON takes it."""
        return {section: getattr(self, section).model_dump() for section in SECTIONS}
