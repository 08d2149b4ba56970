"""A correct plugin without a score or an encoder, and the findings of the conformance kit on it."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from contract import PROMISES
from pydantic import Field
from torch import nn

from zoo import Latent, ModelConfig, ModelSpec, UsageError, hookimpl, hookspecs
from zoo.objectives import Objective, make_optimizer
from zoo.plugins.host import Host, Plugin
from zoo.testing import Finding, check


class PaintConfig(ModelConfig):
    """One key of each kind."""

    spread: Annotated[float, Field(gt=0, le=1, description="standard deviation of images")] = 0.1
    color: Annotated[Literal["grey", "none"], Field(description="color")] = "grey"
    latent: Annotated[int, Field(ge=1, description="latent size")] = 5


class Paint(nn.Module):
    """A linear decoder: a learned mean plus a learned matrix times the latent."""

    def __init__(self, config, image):
        super().__init__()
        self.latent = Latent(config.latent, "normal")
        self.shape = (image.channels, image.size, image.size)
        self.mean = nn.Parameter(torch.full((image.dimensions,), 0.5))
        self.matrix = nn.Parameter(config.spread * torch.randn(image.dimensions, config.latent))

    def forward(self, z):
        return (self.mean + z @ self.matrix.T).reshape(-1, *self.shape)


class SquaredError(Objective):
    """Mean squared error between samples and the images of the batch."""

    def __init__(self, network, training):
        self.networks = {"network": network}
        self.optimizers = {"network": make_optimizer(network.parameters(), training)}

    def step(self, batches, update):
        images = self.networks["network"](batches[0].randn(5))
        loss = (images - batches[0].images).square().mean()
        update("network", loss)
        return {"loss": loss.detach()}


class Painter:
    """A correct plugin without a score or an encoder; subclasses break it."""

    spread = 0.1
    card = None
    capabilities = ("sample",)

    @hookimpl
    def zoo_models(self):
        training = {"steps": 20, "learning_rate": 0.02}
        presets = {"digits": {"model": {"spread": self.spread}, "training": training}}
        more = {"capabilities": self.capabilities, "card": self.card}
        return [
            ModelSpec(
                name="paint",
                family="test",
                title="Paint",
                paper="-",
                config=PaintConfig,
                presets=presets,
                **more,
            )
        ]

    @hookimpl
    def zoo_build(self, config, image):
        if config.color == "none":
            raise UsageError("model.color = none is not supported: use grey")
        return Paint(config, image)

    @hookimpl
    def zoo_train(self, network, config):
        return SquaredError(network, config.training)

    @hookimpl
    def zoo_sample(self, network, latents, temperature):
        return network(latents * temperature).clamp(0, 1)


def findings(plugin: object, model: str = "paint", **options: object) -> dict[str, Finding]:
    """Checks a plugin that is not installed; returns the findings by name."""
    host = Host(hookspecs)
    assert host.add(Plugin("painter", "tests", "0"), plugin).cause is None
    report = check(model, host=host, **{"steps": 20, "device": "cpu", **options})
    by_name = {finding.name: finding for finding in report.findings}
    assert list(by_name) == PROMISES
    assert all(finding.measured and "\n" not in finding.measured for finding in report.findings)
    return by_name


def broken(findings: dict[str, Finding]) -> dict[str, str]:
    return {name: f.measured for name, f in findings.items() if f.status == "broken"}
