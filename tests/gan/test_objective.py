"""GAN losses, the gradient penalty, and the order of updates in a step."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from zoo import Latent
from zoo.config.sections import TrainingConfig
from zoo.data.batch import Batch
from zoo.gan import GANConfig
from zoo.gan.losses import LOSSES
from zoo.gan.objective import GANObjective, clip_weights
from zoo.gan.penalty import gradient_penalty

REAL, FAKE = torch.tensor([2.0, -0.5, 0.3]), torch.tensor([-3.0, 0.25, 1.5])


def test_cross_entropy_matches_torch() -> None:
    ones, zeros = torch.ones(3), torch.zeros(3)
    critic = binary_cross_entropy_with_logits(REAL, ones) + binary_cross_entropy_with_logits(
        FAKE, zeros
    )
    assert torch.allclose(LOSSES["bce"].critic(REAL, FAKE), critic)
    generator = binary_cross_entropy_with_logits(FAKE, ones)
    assert torch.allclose(LOSSES["bce"].generator(FAKE), generator)


def test_the_generators_cross_entropy_does_not_saturate() -> None:
    """The gradient stays at -1 when the critic is certain that an image is generated."""
    score = torch.tensor([-30.0], requires_grad=True)
    LOSSES["bce"].generator(score).backward()
    assert score.grad is not None
    assert score.grad.item() == pytest.approx(-1, abs=1e-6)


def test_hinge_and_wasserstein_match_hand_computed_values() -> None:
    assert LOSSES["hinge"].critic(REAL, FAKE).item() == pytest.approx(
        (0 + 1.5 + 0.7) / 3 + (0 + 1.25 + 2.5) / 3
    )
    assert LOSSES["wasserstein"].critic(REAL, FAKE).item() == pytest.approx(-1.25 / 3 - 1.8 / 3)
    for name in ("hinge", "wasserstein"):
        assert LOSSES[name].generator(FAKE).item() == pytest.approx(1.25 / 3)


class Linear(nn.Module):
    """score(x) = w . x + b."""

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1) @ self.weight + self.bias


def test_gradient_penalty_of_a_linear_critic_and_its_gradient() -> None:
    weight = torch.tensor([3.0, 4.0, 0.0, 0.0])
    critic = Linear(weight)
    real, fake = torch.rand(5, 1, 2, 2), torch.rand(5, 1, 2, 2)
    penalty = gradient_penalty(critic, real, fake, torch.rand(5, 1, 1, 1))
    penalty.backward()
    assert penalty.item() == pytest.approx((5 - 1) ** 2)
    assert torch.allclose(critic.weight.grad, 2 * (5 - 1) * weight / 5)


def test_gradient_penalty_is_evaluated_between_real_and_generated_images() -> None:
    """The gradient of |x|^2 / 2 is x, so the penalty reveals the points of evaluation."""

    class Quadratic(nn.Module):
        def forward(self, x):
            return x.flatten(1).square().sum(1) / 2

    real, fake = torch.rand(6, 1, 2, 2), torch.rand(6, 1, 2, 2)
    weight = torch.rand(6, 1, 1, 1)
    points = weight * real + (1 - weight) * fake
    expected = (points.flatten(1).norm(dim=1) - 1).square().mean()
    assert torch.allclose(gradient_penalty(Quadratic(), real, fake, weight), expected)


def test_clip_weights_bounds_every_parameter() -> None:
    critic = Linear(torch.tensor([3.0, -4.0, 0.001, 0.0]))
    clip_weights(critic, 0.01)
    assert torch.allclose(critic.weight.detach(), torch.tensor([0.01, -0.01, 0.001, 0.0]))


class Shift(nn.Module):
    """A generator of constant images, with the constant as its only parameter."""

    latent = Latent(4, "uniform")

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(()))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return (0 * z + self.shift).reshape(-1, 1, 2, 2)


def batches(count: int) -> list[Batch]:
    return [Batch(torch.full((3, 1, 2, 2), 200 + i).byte(), None, 8) for i in range(count)]


def take_step(config: GANConfig) -> tuple[GANObjective, list[tuple[str, float, list[float]]]]:
    """Takes one training step; returns its updates with the loss and the critic's weights."""
    critic = Linear(torch.tensor([0.5, 0.5, 0.5, 0.5]))
    objective = GANObjective(Shift(), critic, config, TrainingConfig(learning_rate=0.1))
    updates = []

    def update(name: str, loss: torch.Tensor) -> None:
        updates.append((name, loss.item(), critic.weight.tolist()))
        for optimizer in objective.optimizers.values():
            optimizer.zero_grad()
        loss.backward()
        other = {"generator": critic, "critic": objective.networks["generator"]}[name]
        assert all(p.grad is None for p in other.parameters())
        objective.optimizers[name].step()

    metrics = objective.step(batches(objective.batches_per_step), update)
    assert not any(value.requires_grad for value in metrics.values())
    assert next(iter(metrics)) == "generator_loss"
    return objective, updates


def test_the_critic_is_updated_on_separate_batches_before_the_generator() -> None:
    objective, updates = take_step(GANConfig(loss="wasserstein", critic_steps=3))
    assert objective.batches_per_step == 3
    assert [name for name, *_ in updates] == ["critic", "critic", "critic", "generator"]
    for i, (_, loss, weights) in enumerate(updates[:3]):
        assert loss == pytest.approx(-(2 * (200 + i) / 255 - 1) * sum(weights), abs=1e-5)
    critic = objective.networks["critic"]
    assert updates[3][2] == critic.weight.tolist()
    assert objective.networks["generator"].shift.item() == pytest.approx(0.1, abs=1e-4)


def test_the_generator_can_be_updated_on_several_batches_of_new_images() -> None:
    """The critic still scores as many generated images as real ones."""
    batch_sizes, latents = [], []
    critic = Linear(torch.ones(4))
    config = GANConfig(critic_steps=2, generator_batches=3)
    objective = GANObjective(Shift(), critic, config, TrainingConfig())
    critic.register_forward_pre_hook(lambda _, x: batch_sizes.append(len(x[0])))
    objective.networks["generator"].register_forward_pre_hook(lambda _, z: latents.append(z[0]))
    torch.manual_seed(0)
    objective.step(batches(2), lambda name, loss: loss.backward())
    assert batch_sizes == [3, 3, 3, 3, 9]
    assert [len(z) for z in latents] == [3, 3, 9]
    assert len(torch.cat(latents).unique(dim=0)) == 15, "every latent is new"


def test_the_objective_applies_loss_penalty_and_clipping_of_the_configuration() -> None:
    objective, _ = take_step(GANConfig(loss="wasserstein", clip_weights=0.01))
    critic = objective.networks["critic"]
    assert all(p.abs().max() <= 0.01 for p in critic.parameters())
    weight = [0.5] * 4
    _, plain = take_step(GANConfig(loss="hinge"))
    _, penalized = take_step(GANConfig(loss="hinge", gradient_penalty=7.0))
    assert plain[0][2] == penalized[0][2] == weight
    assert penalized[0][1] - plain[0][1] == pytest.approx(7 * (math.hypot(*weight) - 1) ** 2)
    _, cross_entropy = take_step(GANConfig(loss="bce"))
    real, fake = 2 * (2 * 200 / 255 - 1), 0.0
    expected = math.log1p(math.exp(-real)) + math.log1p(math.exp(fake))
    assert cross_entropy[0][1] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("distribution", ["normal", "uniform", "logistic"])
def test_batch_latents_follow_the_networks_distribution(distribution: str) -> None:
    levels = torch.zeros(512, 1, 1, 1, dtype=torch.uint8)
    torch.manual_seed(0)
    z = Batch(levels, None, 8).latents(Latent(200, distribution))
    assert z.shape == (512, 200)
    mean, std = {
        "normal": (0, 1),
        "uniform": (0.5, 12**-0.5),
        "logistic": (0, math.pi / 3**0.5),
    }[distribution]
    assert z.mean().item() == pytest.approx(mean, abs=0.02)
    assert z.std().item() == pytest.approx(std, rel=0.01)
    torch.manual_seed(0)
    halves = []
    for rank in (0, 1):
        torch.manual_seed(0)
        halves.append(Batch(levels[:256], None, 8, rank, 2).latents(Latent(200, distribution)))
    assert torch.equal(torch.cat(halves), z)
