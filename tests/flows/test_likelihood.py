"""The objective and the score of a flow, on a known density."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from zoo.config.sections import TrainingConfig
from zoo.data.batch import Batch
from zoo.flows import ActNorm, maximum_likelihood, nats

BITS = 3


class Normal(nn.Module):
    """A normal density of unit variance after an actnorm, with the label as mean."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = ActNorm(1)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
        z, log_det = self.norm(x)
        z = z.flatten(1)
        mean = torch.zeros(len(z), 1) if labels is None else labels[:, None].float()
        return z, torch.distributions.Normal(mean, 1.0).log_prob(z).sum(1) + log_det


def batch(seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    levels = torch.randint(0, 2**BITS, (5, 1, 4, 4), dtype=torch.uint8, generator=generator)
    return Batch(levels, torch.arange(5), BITS)


def exact_nats(images: Batch, mean: Tensor) -> Tensor:
    """Nats of 16 values of 3 bits under a normal density."""
    x = images.dequantized.flatten(1)
    log_prob = -0.5 * ((x - mean[:, None]).square() + math.log(2 * math.pi)).sum(1)
    return 16 * BITS * math.log(2) - log_prob


def test_nats_of_a_normal_density_with_and_without_labels() -> None:
    network, images = Normal(), batch()
    assert torch.allclose(nats(network, images), exact_nats(images, torch.zeros(5)))
    conditional = nats(network, images, labels=True)
    assert torch.allclose(conditional, exact_nats(images, torch.arange(5.0)))


def test_only_the_first_batch_initializes_the_layers() -> None:
    network, images = Normal(), batch()
    objective = maximum_likelihood(network, TrainingConfig())
    objective.initialize(images)
    z, _ = network(images.dequantized)
    assert torch.allclose(z.mean(), torch.zeros(()), atol=1e-5)
    assert torch.allclose(z.std(correction=0), torch.ones(()), atol=1e-4)
    objective.initialize(batch(1))
    assert torch.equal(network(images.dequantized)[0], z)


@pytest.mark.parametrize("labels", [False, True])
def test_a_step_minimizes_bits_per_dimension(labels: bool) -> None:
    network, images = Normal(), batch()
    objective = maximum_likelihood(network, TrainingConfig(), labels=labels)
    losses: list[Tensor] = []
    objective.step([images], lambda name, loss: losses.append(loss))
    mean = torch.arange(5.0) if labels else torch.zeros(5)
    expected = exact_nats(images, mean).mean() / (16 * math.log(2))
    assert torch.allclose(losses[0], expected)
    losses[0].backward()
    assert bool(network.norm.statistics.bias.grad)


def test_parameter_groups_keep_their_settings() -> None:
    network = Normal()
    groups = [{"params": list(network.parameters()), "weight_decay": 0.5}]
    objective = maximum_likelihood(network, TrainingConfig(), parameters=groups)
    assert objective.optimizers["network"].param_groups[0]["weight_decay"] == 0.5
