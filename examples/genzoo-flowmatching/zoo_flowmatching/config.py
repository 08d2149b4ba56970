"""Configuration and presets of flow matching."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from zoo import ModelConfig, Preset


class FlowMatchingConfig(ModelConfig):
    """Configuration of flow matching."""

    levels: Annotated[
        int, Field(ge=1, le=6, description="resolutions of the U-Net, each half the last")
    ] = 2
    depth: Annotated[int, Field(ge=1, le=16, description="blocks per resolution, down and up")] = 1
    width: Annotated[
        int,
        Field(
            ge=8, le=1024, multiple_of=8, description="channels at full resolution, a multiple of 8"
        ),
    ] = 32
    solver: Annotated[
        Literal["euler", "midpoint"],
        Field(description="ODE solver; midpoint: two evaluations per step"),
    ] = "midpoint"
    solver_steps: Annotated[int, Field(ge=1, le=1000, description="solver steps when sampling")] = (
        10
    )


PRESETS: dict[str, Preset] = {
    "digits": {
        "model": {"levels": 2, "depth": 1, "width": 32},
        "data": {"source": "digits", "bits": 4},
        "training": {
            "steps": 2000,
            "batch_size": 64,
            "learning_rate": 2e-3,
            "warmup_steps": 50,
            "decay": "linear",
            "clip_norm": 1.0,
            "ema_decay": 0.995,
        },
    },
    "mnist": {
        "model": {"levels": 3, "depth": 1, "width": 32},
        "data": {"source": "mnist", "channels": 1},
        "training": {
            "epochs": 20.0,
            "batch_size": 64,
            "learning_rate": 1e-3,
            "warmup_steps": 200,
            "decay": "linear",
            "clip_norm": 1.0,
            "ema_decay": 0.999,
        },
    },
}
