"""Training steps that are measured beside each other, each on images that are on the device.

- ``genzoo``: a step of ``zoo train`` as the preset has it: the batch, autocast, the objective,
  clipping, the optimizer, the average of the weights and the watch over values that are no number;
- ``plain``: the same network and loss in a loop of torch alone, with its optimizer, as one writes
  it: a GAN's generator step then makes gradients of the critic's weights too, which genzoo spares;
- ``normflows``: its Glow of as many levels, steps and channels, with affine sigmoid couplings, LU
  1x1 convolutions and activation normalisation in the couplings too. It has no learned prior where
  channels leave and no channel that says where the image ends, so it has a little less to do.
"""

from __future__ import annotations

import contextlib
import importlib.util
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from measure import Step
from subjects import Subject, noise_images
from torch import Tensor, nn

from zoo.api import host
from zoo.config.sections import Config
from zoo.data.batch import Batch
from zoo.gan.losses import LOSSES
from zoo.gan.spectral import iterate_power
from zoo.model import build
from zoo.objectives.optimizers import make_optimizer
from zoo.runs.folder import RunFolder
from zoo.sampling.seeding import WEIGHTS, seed_torch


class Missing(Exception):
    """A contender's package is missing; the message names it."""


@dataclass(frozen=True)
class Contender:
    """A peer in a precision: ``step`` trains on ``images`` images."""

    step: Step
    images: int


def make(
    peer: str, subject: Subject, batch: int, precision: str, device: torch.device
) -> Contender:
    """``peer`` ready to train; raises Missing where it is not installed."""
    config = subject.config(precision, batch)
    seed_torch(0, WEIGHTS)
    return _MAKERS[peer](subject, config, device)


def shape(config: Config) -> tuple[int, int]:
    """Channels and pixels a side."""
    assert config.data.size is not None
    return config.data.channels or 1, config.data.size


def _genzoo(subject: Subject, config: Config, device: torch.device) -> Contender:
    from zoo.system.progress import Progress
    from zoo.training.launch import _accelerator
    from zoo.training.loop import Loop
    from zoo.training.meter import Meter
    from zoo.training.observer import Observer

    data = noise_images(*shape(config))
    folder = Path(tempfile.gettempdir())  # which nothing is written to
    accelerator = _accelerator(config, device, folder, None)
    model = build(host().owner(subject.model), config.model, data.image_spec, accelerator.device)
    objective = model.objective(config)
    loop = Loop(
        model, RunFolder(folder), config, objective, data, accelerator, Progress(), Observer()
    )
    loop._initialize()
    loop._prepare()
    loop._meter = Meter(accelerator)
    for one in objective.networks.values():
        one.train()
    per_step = objective.batches_per_step
    raws = loop._batches.iterate()

    def step() -> None:
        loop._step([next(raws) for _ in range(per_step)])
        loop.position.step += 1

    return Contender(step, per_step * config.training.batch_size)


def _plain(subject: Subject, config: Config, device: torch.device) -> Contender:
    data = noise_images(*shape(config))
    model = build(host().owner(subject.model), config.model, data.image_spec, device)
    objective = model.objective(config)
    networks: dict[str, nn.Module] = {
        name: one.to(device).train() for name, one in objective.networks.items()
    }
    batches = _batches(config, device)
    objective.initialize(next(batches))
    half = _half(config, device)
    optimizers = {
        name: make_optimizer(one.parameters(), config.training) for name, one in networks.items()
    }
    if len(networks) == 2:
        step = _game(config, networks, optimizers, batches, half)
        return Contender(step, config.training.batch_size * objective.batches_per_step)
    (optimizer,) = optimizers.values()

    def learn() -> None:
        batch = next(batches)
        optimizer.zero_grad()
        with half():
            nats = model.owner.call("zoo_score", network=model.network, batch=batch)
            loss = nats.mean() / batch.dimensions
        loss.backward()
        optimizer.step()

    return Contender(learn, config.training.batch_size)


def _game(
    config: Config,
    networks: dict[str, nn.Module],
    optimizers: dict[str, torch.optim.Optimizer],
    batches: Iterator[Batch],
    half: Callable[[], Any],
) -> Step:
    generator, critic = networks["generator"], networks["critic"]
    rules: Any = config.model
    loss = LOSSES[rules.loss]

    def train(name: str, value: Tensor) -> None:
        optimizers[name].zero_grad()
        value.backward()
        optimizers[name].step()
        iterate_power(networks[name])

    def play() -> None:
        for turn in range(rules.critic_steps):
            batch = next(batches)
            with half():
                fakes = generator(batch.latents(generator.latent))
                value = loss.critic(critic(batch.signed), critic(fakes.detach()))
            train("critic", value)
            if turn == rules.critic_steps - 1:
                with half():
                    value = loss.generator(critic(fakes))
                train("generator", value)

    return play


def _normflows(subject: Subject, config: Config, device: torch.device) -> Contender:
    if importlib.util.find_spec("normflows") is None:
        raise Missing("not installed: pip install --no-deps normflows==1.7.3")
    import normflows as nf

    model: Any = config.model
    channels, size = shape(config)
    priors, flows, merges = [], [], []
    for level in range(model.levels):  # its first level is the coarsest
        wide = channels * 2 ** (model.levels + 1 - level)
        side = size // 2 ** (model.levels - level)
        blocks = [
            nf.flows.GlowBlock(
                wide, model.width, split_mode="channel", scale=True, net_actnorm=True
            )
            for _ in range(model.depth)
        ]
        flows.append([*blocks, nf.flows.Squeeze()])
        if level:
            merges.append(nf.flows.Merge())
        prior = wide // 2 if level else wide
        priors.append(nf.distributions.GlowBase((prior, side, side)))
    network = nf.MultiscaleFlow(priors, flows, merges, class_cond=False).to(device).train()
    optimizer = make_optimizer(network.parameters(), config.training)
    batches = _batches(config, device)
    half = _half(config, device)

    def learn() -> None:
        batch = next(batches)
        optimizer.zero_grad()
        with half():
            loss = network.forward_kld(batch.dequantized - 0.5) / batch.dimensions
        loss.backward()
        optimizer.step()

    return Contender(learn, config.training.batch_size)


_MAKERS = {"genzoo": _genzoo, "plain": _plain, "normflows": _normflows}


def _batches(config: Config, device: torch.device) -> Iterator[Batch]:
    data = noise_images(*shape(config))
    images = torch.from_numpy(data.splits["train"].images).to(device)  # type: ignore[attr-defined]
    while True:
        chosen = torch.randint(len(images), (config.training.batch_size,), device=device)
        yield Batch(images[chosen], None, 8)


def _half(config: Config, device: torch.device) -> Callable[[], Any]:
    if config.training.precision != "bf16":
        return contextlib.nullcontext
    return lambda: torch.autocast(device.type, torch.bfloat16)
