"""The obvious training loop of each model in torch alone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from measure import Step
from subjects import noise_images, shape
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from zoo.api import host
from zoo.config.sections import Config
from zoo.data.batch import Batch
from zoo.data.quantize import to_levels
from zoo.gan.losses import LOSSES
from zoo.gan.spectral import iterate_power
from zoo.model import build

Loop = tuple[Step, int, list[nn.Module]]
"""A step, its number of images, and the trained networks."""


def loop(model: str, config: Config, device: torch.device, compiled: bool = False) -> Loop:
    """The loop of ``model``, with each whole network ``compiled``."""
    data = noise_images(*shape(config))
    made = build(host().owner(model), config.model, data.image_spec, device)
    objective = made.objective(config)
    networks: dict[str, nn.Module] = {
        name: network.to(device).train() for name, network in objective.networks.items()
    }
    batches = batches_of(config, device)
    objective.initialize(next(batches))
    images = config.training.batch_size * objective.batches_per_step
    called = {
        name: torch.compile(network, dynamic=False) if compiled else network
        for name, network in networks.items()
    }
    train = trainer(config, networks)
    if len(networks) == 2:
        return (
            _gan_step(config, networks, called, train, batches, device),
            images,
            [*networks.values()],
        )
    ((name, network),) = called.items()

    def step() -> None:
        batch = next(batches)
        with autocast(config, device):
            nats = made.owner.call("zoo_score", network=network, batch=batch)
            loss = nats.mean() / batch.dimensions
        train(name, loss)

    return step, images, [*networks.values()]


def _gan_step(
    config: Config,
    networks: Mapping[str, nn.Module],
    called: Mapping[str, Any],
    train: Callable[[str, Tensor], None],
    batches: Iterator[Batch],
    device: torch.device,
) -> Step:
    generator, critic = called["generator"], called["critic"]
    latent: Any = networks["generator"].latent
    settings: Any = config.model
    loss = LOSSES[settings.loss]

    def update(name: str, value: Tensor) -> None:
        train(name, value)
        iterate_power(networks[name])

    def step() -> None:
        for _ in range(settings.critic_steps):
            batch = next(batches)
            with autocast(config, device):
                generated = generator(batch.latents(latent))
                value = loss.critic(critic(batch.signed), critic(generated.detach()))
            update("critic", value)
        with autocast(config, device):
            if settings.generator_batches > 1:
                latents = [batch.latents(latent) for _ in range(settings.generator_batches)]
                generated = generator(torch.cat(latents))
            value = loss.generator(critic(generated))
        update("generator", value)

    return step


def trainer(config: Config, networks: Mapping[str, nn.Module]) -> Callable[[str, Tensor], None]:
    """``train(name, loss)`` updates the network ``name``, with the clipping and the EMA weights of
    the configuration."""
    training = config.training
    optimizers = {name: optimizer(network, config) for name, network in networks.items()}
    averages = {
        name: AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(training.ema_decay))
        for name, network in networks.items()
        if training.ema_decay and name != "critic"
    }

    def train(name: str, loss: Tensor) -> None:
        optimizers[name].zero_grad()
        loss.backward()
        if training.clip_norm is not None:
            nn.utils.clip_grad_norm_(networks[name].parameters(), training.clip_norm)
        optimizers[name].step()
        if name in averages:
            averages[name].update_parameters(networks[name])

    return train


def optimizer(network: nn.Module, config: Config) -> Optimizer:
    """torch's optimizer as it is by default."""
    training = config.training
    settings: dict[str, Any] = {
        "lr": training.learning_rate,
        "eps": training.epsilon,
        "weight_decay": training.weight_decay,
    }
    if training.optimizer == "rmsprop":
        settings |= {"alpha": training.beta2, "momentum": training.beta1}
        return torch.optim.RMSprop(network.parameters(), **settings)
    kind = {"adam": torch.optim.Adam, "adamax": torch.optim.Adamax}[training.optimizer]
    return kind(network.parameters(), betas=(training.beta1, training.beta2), **settings)


def batches_of(config: Config, device: torch.device) -> Iterator[Batch]:
    """Endless random batches of the noise images, which are on the device."""
    data = noise_images(*shape(config))
    split: Any = data.splits["train"]
    levels = to_levels(torch.from_numpy(split.images).to(device), config.data.bits)
    while True:
        chosen = torch.randint(len(levels), (config.training.batch_size,), device=device)
        yield Batch(levels[chosen], None, config.data.bits)


def autocast(config: Config, device: torch.device) -> contextlib.AbstractContextManager[object]:
    if config.training.precision != "bf16":
        return contextlib.nullcontext()
    return torch.autocast(device.type, torch.bfloat16)
