"""What one can set of a game of two networks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from zoo.specs import ModelConfig


class AdversarialConfig(ModelConfig):
    """The rules of the game; a model's configuration derives from it and adds its networks'."""

    loss: Annotated[
        Literal["bce", "hinge", "wasserstein"],
        Field(description="of the game; bce: cross entropy, the generator's non-saturating"),
    ] = "bce"
    critic_steps: Annotated[
        int, Field(ge=1, le=100, description="of the critic for each of the generator, n_critic")
    ] = 1
    generator_batches: Annotated[
        int,
        Field(ge=1, le=16, description="batches of drawn pictures in a step of the generator"),
    ] = 1
    gradient_penalty: Annotated[
        float, Field(ge=0, le=1000, description="weight of (|gradient| - 1)^2, lambda; 0: none")
    ] = 0.0
    clip_weights: Annotated[
        float | None,
        Field(gt=0, le=100, description="bound on the critic's weights, c; null: none"),
    ] = None
