"""Small models for the tests: a density known in closed form, and a GAN of two parameters."""

from __future__ import annotations

import torch
from torch import nn

from zoo import Latent, ModelConfig, ModelSpec, hookimpl, hookspecs
from zoo.objectives import MaximumLikelihood, Objective, discrete_nats, make_optimizer
from zoo.plugins.host import Host, Plugin


class TinyConfig(ModelConfig):
    """``fail_at``: the step at which the loss is NaN."""

    fail_at: int = 0


class Shift(nn.Module):
    """Images are latents plus one parameter: log p(x) = log_density - shift^2."""

    def __init__(self, dimensions: int, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.full((), 0.5))
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
        self.latent, self.shape = Latent(dimensions, "uniform"), shape

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(x)) - self.shift.square() + 0 * x.sum()


class Tiny:
    """The models ``tiny``, uniform on the unit cube once its only weight is zero, and ``gan``."""

    @hookimpl
    def zoo_models(self):
        presets = {"digits": {"training": {"steps": 20, "learning_rate": 0.1}}}
        return [
            ModelSpec(
                name="tiny",
                family="test",
                title="Tiny",
                paper="-",
                config=TinyConfig,
                presets=presets,
            ),
            ModelSpec(
                name="gan",
                family="test",
                title="GAN",
                paper="-",
                config=TinyConfig,
                presets=presets,
            ),
        ]

    @hookimpl
    def zoo_build(self, model, image):
        shape = (image.channels, image.size, image.size)
        return Shift(image.dimensions, shape)

    @hookimpl
    def zoo_train(self, model, network, config):
        if model == "gan":
            return GAN(network, config.training)
        calls = []

        def score(network, batch):
            calls.append(1)
            nats = discrete_nats(network(batch.images), batch)
            return nats * float("nan") if len(calls) == config.model.fail_at else nats

        return MaximumLikelihood(network, config.training, score)

    @hookimpl
    def zoo_sample(self, network, latents, temperature):
        return (latents * temperature).reshape(-1, *network.shape).clamp(0, 1)

    @hookimpl
    def zoo_score(self, network, batch):
        return discrete_nats(network(batch.images), batch)


class GAN(Objective):
    """A generator and a critic that takes two steps, each on a batch of its own."""

    batches_per_step = 3

    def __init__(self, generator, training):
        critic = nn.Linear(1, 1)
        self.networks = {"generator": generator, "critic": critic}
        self.optimizers = {
            name: make_optimizer(network.parameters(), training)
            for name, network in self.networks.items()
        }

    def step(self, batches, update):
        *critic_batches, batch = batches
        for critic_batch in critic_batches:
            real = critic_batch.images.mean().reshape(1, 1)
            fake = self.networks["generator"](critic_batch.images).mean().reshape(1, 1)
            critic = self.networks["critic"]
            critic_loss = (critic(fake.detach()) - critic(real)).mean() + critic_batch.rand(
                1
            ).mean() * 0
            update("critic", critic_loss)
        generator_loss = -self.networks["critic"](
            self.networks["generator"](batch.images).mean().reshape(1, 1)
        ).mean()
        update("generator", generator_loss)
        return {"loss": generator_loss.detach(), "critic_loss": critic_loss.detach()}


def tiny_host() -> Host:
    """Returns a host with :class:`Tiny` as its only plugin."""
    host = Host(hookspecs)
    assert host.add(Plugin("tiny", "tests", "0"), Tiny()).cause is None
    return host
