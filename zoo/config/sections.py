"""A run's configuration: keys ``section.key`` with their defaults and bounds.

The sections are ``model``, ``data`` and ``training``. :mod:`zoo.config.resolve` applies presets,
files and flags.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from zoo.specs import ModelConfig, Section

SECTIONS = ("model", "data", "training")

READING = ("layout", "column", "value_range", "background")
"""The keys of ``data`` that say how a source is read; null: as the data show."""

MAX_VALUE = 10**9
"""The bound of numbers without a natural one, so that sums of them stay finite."""


class DataConfig(Section):
    """The images and their preparation.

    The keys in READING are determined from the data where they are null; config.json stores what
    was determined, so that a run reads all later images in the same way.
    """

    source: Annotated[
        str, Field(description="a name, user/dataset, folder, parquet or .npz", min_length=1)
    ] = "digits"
    size: Annotated[
        int | None, Field(ge=2, le=1024, description="pixels a side; null: that of the images")
    ] = None
    channels: Annotated[
        Literal[1, 3] | None, Field(description="1 gray, 3 color; null: those of the images")
    ] = None
    bits: Annotated[int, Field(ge=1, le=8, description="bits per pixel value")] = 8
    pad: Annotated[
        int,
        Field(ge=0, le=64, description="maximum black border, pixels a side"),
    ] = 0
    layout: Annotated[
        Literal["images", "classes", "splits"] | None,
        Field(description="folders below the source: no meaning, classes, or splits; null: found"),
    ] = None
    column: Annotated[
        str | None, Field(description="column or key of the images; null: found", min_length=1)
    ] = None
    value_range: Annotated[
        list[float] | None,
        Field(
            min_length=2,
            max_length=2,
            description="stored values of black and white; null: those of the format",
        ),
    ] = None
    background: Annotated[
        Literal["black", "white"] | None,
        Field(description="behind transparent images; null: white, black if they are bright"),
    ] = None
    split_rule: Annotated[
        Literal["hash", "position"],
        Field(description="how missing splits are chosen; position: as before format version 3"),
    ] = "hash"
    flip: Annotated[bool, Field(description="mirror half of the training images at random")] = False
    workers: Annotated[
        int, Field(ge=0, le=256, description="processes that decode a streamed dataset")
    ] = 2
    resident_gib: Annotated[
        float,
        Field(ge=0, le=MAX_VALUE, description="largest dataset kept in memory, in GiB"),
    ] = 4.0


# The key has the name of a deprecated method of pydantic's.
warnings.filterwarnings("ignore", 'Field name "validate" in "TrainingConfig"', UserWarning)


class TrainingConfig(Section):
    """Limits, optimizer, precision and logging."""

    steps: Annotated[int | None, Field(ge=1, le=MAX_VALUE, description="maximum steps")] = None
    epochs: Annotated[float | None, Field(gt=0, le=MAX_VALUE, description="maximum epochs")] = None
    minutes: Annotated[float | None, Field(gt=0, le=MAX_VALUE, description="maximum minutes")] = (
        None
    )
    batch_size: Annotated[int, Field(ge=1, le=65536, description="images per step")] = 64
    optimizer: Annotated[Literal["adam", "adamax", "rmsprop"], Field(description="kind")] = "adam"
    learning_rate: Annotated[float, Field(gt=0, le=1, description="after warm-up")] = 1e-3
    beta1: Annotated[float, Field(ge=0, lt=1, description="decay of mean gradients")] = 0.9
    beta2: Annotated[float, Field(ge=0, lt=1, description="decay of mean squared gradients")] = (
        0.999
    )
    epsilon: Annotated[
        float, Field(gt=0, le=1, description="added to the root of mean squared gradients")
    ] = 1e-8
    weight_decay: Annotated[float, Field(ge=0, le=1, description="L2 penalty")] = 0.0
    warmup_steps: Annotated[
        int, Field(ge=0, le=MAX_VALUE, description="steps of linear warm-up")
    ] = 0
    decay: Annotated[
        Literal["none", "linear", "cosine"],
        Field(description="decay of the learning rate to 0"),
    ] = "none"
    clip_norm: Annotated[
        float | None,
        Field(gt=0, le=MAX_VALUE, description="largest gradient norm; null: none"),
    ] = None
    ema_decay: Annotated[
        float, Field(ge=0, lt=1, description="decay of the weights' running average; 0: none")
    ] = 0.0
    precision: Annotated[
        Literal["auto", "fp32", "bf16"],
        Field(description="precision of the networks; auto: bf16 on CUDA, fp32 elsewhere"),
    ] = "auto"
    compile: Annotated[
        Literal["auto", "on", "off"],
        Field(description="torch.compile in steps; auto: where a run saves time by it"),
    ] = "auto"
    activation_checkpointing: Annotated[
        bool, Field(description="recompute activations in the backward pass, for less memory")
    ] = False
    freeze: Annotated[
        list[Annotated[str, Field(min_length=1)]] | None,
        Field(
            min_length=1,
            max_length=16,
            description="patterns of names of parameters that do not train; null: none",
        ),
    ] = None
    seed: Annotated[int, Field(ge=0, le=2**32 - 1, description="of weights, order and noise")] = 0
    checkpoint_every: Annotated[
        int, Field(ge=1, le=MAX_VALUE, description="steps between checkpoints")
    ] = 500
    validate: Annotated[
        Literal["likelihood", "fid"],
        Field(description="metric of validation; fid: FID-CNN of samples, for GANs"),
    ] = "likelihood"  # type: ignore[assignment]
    validate_every: Annotated[
        int | None,
        Field(ge=1, le=MAX_VALUE, description="steps between validations; null: checkpoint_every"),
    ] = None
    keep: Annotated[
        Literal["auto", "best", "last"],
        Field(description="weights to use; auto: the best by validation, where there is one"),
    ] = "auto"
    patience: Annotated[
        int | None,
        Field(ge=1, le=MAX_VALUE, description="validations without a better one; null: any number"),
    ] = None
    log_every: Annotated[
        int, Field(ge=1, le=MAX_VALUE, description="steps between lines of metrics.jsonl")
    ] = 10


LIMITS = ("steps", "epochs", "minutes")
"""The keys of ``training`` that say when to stop."""

FIXED = ("training.seed", "training.optimizer", "training.freeze")
"""The keys of ``training`` that a resumed run may not change: they decide on splits, and on what an
optimizer stores."""


@dataclass(frozen=True)
class Config:
    """A run's whole configuration."""

    model: ModelConfig
    data: DataConfig
    training: TrainingConfig

    def dump(self) -> dict[str, dict[str, Any]]:
        """Returns every value by section and key, as JSON types."""
        return {section: getattr(self, section).model_dump() for section in SECTIONS}
