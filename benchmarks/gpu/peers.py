"""The compared training steps, each on images in device memory.

- ``genzoo``: a step of ``zoo train`` with the preset: the batch, autocast, the objective, clipping,
  the optimizer, the EMA weights and the check for values that are not finite;
- ``plain``: the same network, loss and optimizer in a loop in torch alone. A GAN's generator step
  then also computes gradients of the critic's weights, which genzoo avoids;
- ``normflows``: its Glow with the same levels, steps and channels, affine sigmoid couplings, LU 1x1
  convolutions, and actnorm in the couplings too. It has neither a learned prior at splits nor a
  channel that marks the edge of the image, so it computes slightly less.
"""

from __future__ import annotations

import contextlib
import importlib.util
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
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
from zoo.sampling.seeding import INITIALIZATION, seed_for


class MissingPackage(Exception):
    """The package of a peer is not installed; the message names it."""


@dataclass(frozen=True)
class Peer:
    """A peer in one precision: ``step`` trains on ``images`` images; closing ``resources`` undoes
    what it did to its networks."""

    step: Step
    images: int
    resources: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)


def make(name: str, subject: Subject, batch: int, precision: str, device: torch.device) -> Peer:
    """Returns the peer ``name``, ready to train; raises MissingPackage if it is not installed."""
    config = subject.config(precision, batch)
    torch.manual_seed(seed_for(0, INITIALIZATION))
    return _MAKERS[name](subject, config, device)


def shape(config: Config) -> tuple[int, int]:
    """Channels and size of the images."""
    assert config.data.size is not None
    return config.data.channels or 1, config.data.size


def _genzoo(subject: Subject, config: Config, device: torch.device) -> Peer:
    from accelerate.state import AcceleratorState

    from zoo.system.progress import Progress
    from zoo.training.accelerator import make_accelerator
    from zoo.training.loop import Loop
    from zoo.training.meter import Meter
    from zoo.training.observer import Observer

    data = noise_images(*shape(config))
    folder = Path(tempfile.gettempdir())  # nothing is written there
    AcceleratorState._reset_state(reset_partial_state=True)  # the precision differs between peers
    accelerator = make_accelerator(config, device, folder, None)
    model = build(host().owner(subject.model), config.model, data.image_spec, accelerator.device)
    objective = model.objective(config)
    loop = Loop(
        model, RunFolder(folder), config, objective, data, accelerator, Progress(), Observer()
    )
    loop._initialize()
    loop._prepare()
    loop._meter = Meter(accelerator)
    for network in objective.networks.values():
        network.train()
    per_step = objective.batches_per_step
    raws = loop._batches.iterate()

    def step() -> None:
        loop._step([next(raws) for _ in range(per_step)])
        loop.position.step += 1

    peer = Peer(step, per_step * config.training.batch_size)
    peer.resources.enter_context(loop.compilation.installed())
    return peer


def _plain(subject: Subject, config: Config, device: torch.device) -> Peer:
    data = noise_images(*shape(config))
    model = build(host().owner(subject.model), config.model, data.image_spec, device)
    objective = model.objective(config)
    networks: dict[str, nn.Module] = {
        name: network.to(device).train() for name, network in objective.networks.items()
    }
    batches = _batches(config, device)
    objective.initialize(next(batches))
    autocast = _autocast(config, device)
    optimizers = {
        name: make_optimizer(network.parameters(), config.training)
        for name, network in networks.items()
    }
    if len(networks) == 2:
        step = _gan_step(config, networks, optimizers, batches, autocast)
        return Peer(step, config.training.batch_size * objective.batches_per_step)
    (optimizer,) = optimizers.values()

    def step() -> None:
        batch = next(batches)
        optimizer.zero_grad()
        with autocast():
            nats = model.owner.call("zoo_score", network=model.network, batch=batch)
            loss = nats.mean() / batch.dimensions
        loss.backward()
        optimizer.step()

    return Peer(step, config.training.batch_size)


def _gan_step(
    config: Config,
    networks: dict[str, nn.Module],
    optimizers: dict[str, torch.optim.Optimizer],
    batches: Iterator[Batch],
    autocast: Callable[[], Any],
) -> Step:
    generator, critic = networks["generator"], networks["critic"]
    settings: Any = config.model
    loss = LOSSES[settings.loss]

    def train(name: str, value: Tensor) -> None:
        optimizers[name].zero_grad()
        value.backward()
        optimizers[name].step()
        iterate_power(networks[name])

    def step() -> None:
        for iteration in range(settings.critic_steps):
            batch = next(batches)
            with autocast():
                generated = generator(batch.latents(generator.latent))
                value = loss.critic(critic(batch.signed), critic(generated.detach()))
            train("critic", value)
            if iteration == settings.critic_steps - 1:
                with autocast():
                    value = loss.generator(critic(generated))
                train("generator", value)

    return step


def _normflows(subject: Subject, config: Config, device: torch.device) -> Peer:
    if importlib.util.find_spec("normflows") is None:
        raise MissingPackage("not installed: pip install --no-deps normflows==1.7.3")
    import normflows as nf

    model: Any = config.model
    channels, size = shape(config)
    priors, flows, merges = [], [], []
    for level in range(model.levels):  # its first level is the coarsest
        width = channels * 2 ** (model.levels + 1 - level)
        side = size // 2 ** (model.levels - level)
        blocks = [
            nf.flows.GlowBlock(
                width, model.width, split_mode="channel", scale=True, net_actnorm=True
            )
            for _ in range(model.depth)
        ]
        flows.append([*blocks, nf.flows.Squeeze()])
        if level:
            merges.append(nf.flows.Merge())
        prior = width // 2 if level else width
        priors.append(nf.distributions.GlowBase((prior, side, side)))
    network = nf.MultiscaleFlow(priors, flows, merges, class_cond=False).to(device).train()
    optimizer = make_optimizer(network.parameters(), config.training)
    batches = _batches(config, device)
    autocast = _autocast(config, device)

    def step() -> None:
        batch = next(batches)
        optimizer.zero_grad()
        with autocast():
            loss = network.forward_kld(batch.dequantized - 0.5) / batch.dimensions
        loss.backward()
        optimizer.step()

    return Peer(step, config.training.batch_size)


_MAKERS = {"genzoo": _genzoo, "plain": _plain, "normflows": _normflows}


def _batches(config: Config, device: torch.device) -> Iterator[Batch]:
    data = noise_images(*shape(config))
    images = torch.from_numpy(data.splits["train"].images).to(device)  # type: ignore[attr-defined]
    while True:
        chosen = torch.randint(len(images), (config.training.batch_size,), device=device)
        yield Batch(images[chosen], None, 8)


def _autocast(config: Config, device: torch.device) -> Callable[[], Any]:
    if config.training.precision != "bf16":
        return contextlib.nullcontext
    return lambda: torch.autocast(device.type, torch.bfloat16)
