"""Configuration shared by GANs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from zoo.specs import ModelConfig


class GANConfig(ModelConfig):
    """Loss and training schedule of a GAN; a plugin's configuration derives from it."""

    loss: Annotated[
        Literal["bce", "hinge", "wasserstein"],
        Field(description="adversarial loss; bce: cross entropy, non-saturating for the generator"),
    ] = "bce"
    critic_steps: Annotated[
        int, Field(ge=1, le=100, description="critic updates per generator update, n_critic")
    ] = 1
    generator_batches: Annotated[
        int, Field(ge=1, le=16, description="batches of generated images per generator update")
    ] = 1
    gradient_penalty: Annotated[
        float,
        Field(ge=0, le=1000, description="weight of (|gradient| - 1)^2, lambda; 0 disables it"),
    ] = 0.0
    clip_weights: Annotated[
        float | None,
        Field(gt=0, le=100, description="bound on the critic's weights, c; null disables it"),
    ] = None
