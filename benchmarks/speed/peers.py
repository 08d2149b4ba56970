"""The compared training steps and samplers, each on images in device memory.

- ``genzoo``: a step of ``zoo train`` with the preset, through its own loop: the batch, autocast,
  the objective, clipping, the optimizer, the EMA weights and the check for values that are not
  finite;
- ``standard``: that step with ``memory=standard`` beside another memory;
- ``plain``: the same network and loss in a loop in torch alone, with torch's optimizer as it is by
  default, and with clipping and EMA weights where the preset has them. A GAN's generator step then
  also computes gradients of the critic's weights, which genzoo avoids;
- ``compiled``: the plain loop with torch.compile of each whole network;
- ``normflows`` 1.7.3: its Glow with the same levels, steps and channels, affine sigmoid couplings,
  LU 1x1 convolutions, and actnorm in the couplings too, but neither a learned prior at splits nor a
  channel that marks the edge of the image; or its additive couplings of perceptrons, with a normal
  prior, as NICE. It computes slightly less;
- ``pythae`` 0.1.2: its VAE of perceptrons with a hidden layer of 512 units;
- ``mimicry``, torch-mimicry 0.1.16: its SN-GAN of residual networks for 32x32 images.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import libraries
import plain
import torch
from libraries import MissingPackage
from measure import Step
from subjects import Subject, noise_images, shape

from zoo.api import host
from zoo.config.sections import Config
from zoo.model import build
from zoo.runs.folder import RunFolder
from zoo.sampling.seeding import INITIALIZATION, seed_for

__all__ = ["MissingPackage", "Peer", "make", "shape"]


@dataclass(frozen=True)
class Peer:
    """A peer in one precision: ``step`` trains on ``images`` images.

    Of genzoo, ``optimizers`` are those of its ``networks``, and closing ``resources`` undoes what
    compilation did to these.
    """

    step: Step
    images: int
    networks: list[torch.nn.Module] = field(default_factory=list)
    optimizers: list[torch.optim.Optimizer] = field(default_factory=list)
    resources: ExitStack = field(default_factory=ExitStack)

    def state_bytes(self) -> dict[str, int]:
        """Bytes of parameters, of their gradients and of the optimizers' state."""
        parameters = [p for network in self.networks for p in network.parameters()]
        gradients = [p.grad for p in parameters if p.grad is not None]
        state = [
            value
            for optimizer in self.optimizers
            for values in optimizer.state.values()
            for value in values.values()
            if isinstance(value, torch.Tensor)
        ]
        named = {"parameters": parameters, "gradients": gradients, "optimizer": state}
        return {
            name: sum(tensor.numel() * tensor.element_size() for tensor in tensors)
            for name, tensors in named.items()
        }


def warm_up(device: torch.device) -> None:
    """Trains a tiny network for a moment: imported libraries are no model's memory."""
    subject = Subject("nice", "digits", {"couplings": 2, "width": 2, "depth": 1})
    peer = make("genzoo", subject, 2, "fp32", device)
    for _ in range(3):
        peer.step()


def make(name: str, subject: Subject, batch: int, precision: str, device: torch.device) -> Peer:
    """Returns the peer ``name``, ready to train; raises MissingPackage if it is not installed."""
    config = subject.config(precision, batch)
    torch.manual_seed(seed_for(0, INITIALIZATION))
    return _MAKERS[name](subject, config, device)


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

    peer = Peer(
        step,
        per_step * config.training.batch_size,
        list(objective.networks.values()),
        list(objective.optimizers.values()),
    )
    peer.resources.enter_context(loop.execution.installed())
    return peer


def _standard(subject: Subject, config: Config, device: torch.device) -> Peer:
    subject = subject.with_changes({"memory": "standard"})
    training = config.training
    return _genzoo(subject, subject.config(training.precision, training.batch_size), device)


def _plain(subject: Subject, config: Config, device: torch.device) -> Peer:
    return Peer(*plain.loop(subject.model, config, device))


def _compiled(subject: Subject, config: Config, device: torch.device) -> Peer:
    return Peer(*plain.loop(subject.model, config, device, compiled=True))


def _of_library(name: str) -> Callable[[Subject, Config, torch.device], Peer]:
    def make(subject: Subject, config: Config, device: torch.device) -> Peer:
        return Peer(*libraries.MAKERS[name](subject.model, config, device).loop())

    return make


_MAKERS: dict[str, Callable[[Subject, Config, torch.device], Peer]] = {
    "genzoo": _genzoo,
    "standard": _standard,
    "plain": _plain,
    "compiled": _compiled,
    **{name: _of_library(name) for name in libraries.MAKERS},
}
