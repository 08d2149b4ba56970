"""The models of other libraries, in the sizes of a configuration, with the loop that their
documentation shows. peers.py says how they differ."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import plain
import torch
from measure import Step
from plain import autocast, batches_of, optimizer
from subjects import shape
from torch import Tensor, nn

from zoo.config.sections import Config
from zoo.data.batch import Batch

PACKAGES = {"normflows": "1.7.3", "pythae": "0.1.2", "torch-mimicry": "0.1.16"}
"""The distributions and their versions; ``make bench`` installs them without dependencies."""


class MissingPackage(Exception):
    """The package of a peer is not installed; the message names it."""


@dataclass(frozen=True)
class Library:
    """A library's model: ``step`` trains on ``images`` images, ``sample(n)`` returns n images."""

    step: Step
    images: int
    networks: list[nn.Module]
    sample: Callable[[int], Tensor]

    def loop(self) -> plain.Loop:
        return self.step, self.images, self.networks


def normflows(model: str, config: Config, device: torch.device) -> Library:
    nf = _import("normflows", "normflows")
    network = {"glow": _normflows_glow, "nice": _normflows_nice}[model](nf, config)
    network = network.to(device).train()
    flat = model == "nice"

    def loss(batch: Batch) -> Tensor:
        x = batch.dequantized.flatten(1) if flat else batch.dequantized - 0.5
        return network.forward_kld(x) / batch.dimensions

    return _likelihood(config, device, network, loss, lambda n: network.sample(n)[0])


def _normflows_glow(nf: Any, config: Config) -> Any:
    model: Any = config.model
    channels, size, _ = shape(config)
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
    return nf.MultiscaleFlow(priors, flows, merges, class_cond=False)


def _normflows_nice(nf: Any, config: Config) -> Any:
    model: Any = config.model
    channels, size, _ = shape(config)
    values = channels * size**2
    flows: list[Any] = []
    for _ in range(model.couplings):
        sizes = [values // 2, *[model.width] * model.depth, values // 2]
        network = nf.nets.MLP(sizes, init_zeros=True)
        flows.append(nf.flows.AffineCouplingBlock(network, scale=False))
        flows.append(nf.flows.Permute(values, mode="swap"))
    flows.append(nf.flows.AffineConstFlow((values,), shift=False))
    return nf.NormalizingFlow(nf.distributions.DiagGaussian(values, trainable=False), flows)


def pythae(model: str, config: Config, device: torch.device) -> Library:
    models = _import("pythae.models", "pythae")
    settings: Any = config.model
    channels, size, _ = shape(config)
    options = models.VAEConfig(
        input_dim=(channels, size, size),
        latent_dim=settings.latent,
        reconstruction_loss="bce",
    )
    network = models.VAE(options).to(device).train()

    def sample(n: int) -> Tensor:
        return network.decoder(torch.randn(n, settings.latent, device=device))["reconstruction"]

    return _likelihood(
        config, device, network, lambda batch: network({"data": batch.images}).loss, sample
    )


def mimicry(model: str, config: Config, device: torch.device) -> Library:
    _without_contents("torch_mimicry")
    nets = _import("torch_mimicry.nets.sngan.sngan_32", "torch-mimicry")
    settings: Any = config.model
    generator = nets.SNGANGenerator32(nz=settings.latent, ngf=settings.width).to(device)
    critic = nets.SNGANDiscriminator32(ndf=settings.critic_width).to(device)
    optimizers = [optimizer(network, config) for network in (generator, critic)]
    batches = batches_of(config, device)
    log = types.SimpleNamespace(add_metric=lambda *_, **__: None)

    def step() -> None:
        for index in range(settings.critic_steps):
            real = (next(batches).signed, None)
            # Its train_step reads two probabilities of each step from the device.
            with autocast(config, device):
                critic.train_step(real, generator, optimizers[1], log, device=device)
                if index == settings.critic_steps - 1:
                    generator.train_step(real, critic, optimizers[0], log, device=device)

    images = config.training.batch_size * settings.critic_steps
    return Library(step, images, [generator, critic], lambda n: generator.generate_images(n))


MAKERS: dict[str, Callable[[str, Config, torch.device], Library]] = {
    "normflows": normflows,
    "pythae": pythae,
    "mimicry": mimicry,
}


def _likelihood(
    config: Config,
    device: torch.device,
    network: Any,
    loss: Callable[[Batch], Tensor],
    sample: Callable[[int], Tensor],
) -> Library:
    train = plain.trainer(config, {"network": network})
    batches = batches_of(config, device)

    def step() -> None:
        batch = next(batches)
        with autocast(config, device):
            value = loss(batch)
        train("network", value)

    return Library(step, config.training.batch_size, [network], sample)


def _import(module: str, package: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if error.name is not None and not module.startswith(error.name.partition(".")[0]):
            raise MissingPackage(f"{package} cannot be imported: {error}") from error
        raise MissingPackage(
            f"not installed: pip install --no-deps {package}=={PACKAGES[package]}"
        ) from error


def _without_contents(package: str) -> None:
    """Makes modules of ``package`` importable without the package's own imports: all of mimicry
    needs torchvision, its networks do not."""
    if package in sys.modules or (spec := importlib.util.find_spec(package)) is None:
        return
    empty: Any = types.ModuleType(package)
    empty.__path__, empty.__spec__ = list(spec.submodule_search_locations or ()), spec
    sys.modules[package] = empty
