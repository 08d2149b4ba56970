"""What every plugin promises, and what can be computed of flow matching."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import Tensor, nn
from zoo_flowmatching.config import FlowMatchingConfig
from zoo_flowmatching.model import VelocityNet
from zoo_flowmatching.objective import FlowMatching

from zoo import ImageSpec
from zoo.config.sections import TrainingConfig
from zoo.data.batch import Batch
from zoo.testing import assert_conforms

LEVELS = torch.randint(16, (6, 1, 8, 8), generator=torch.Generator().manual_seed(0)).byte()


def test_it_keeps_what_plugins_promise() -> None:
    assert_conforms("flowmatching")


class Towards(nn.Module):
    """The velocity of all lines to one picture, (picture - x) / (1 - t), and a bit more."""

    def __init__(self, picture: Tensor, more: float) -> None:
        super().__init__()
        self.picture, self.more = picture, nn.Parameter(torch.tensor(more))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return (self.picture - x) / (1 - t[:, None, None, None]) + self.more


def loss(network: nn.Module, batch: Batch) -> float:
    """What a step of the objective hands to the optimizer."""
    losses: list[Tensor] = []
    torch.manual_seed(0)
    FlowMatching(network, TrainingConfig()).step([batch], lambda name, loss: losses.append(loss))
    return float(losses[0].detach())


@pytest.mark.parametrize("more", [0.0, 0.5])
def test_the_loss_is_the_squared_distance_to_the_velocity_of_the_lines(more: float) -> None:
    batch = Batch(LEVELS[:1].repeat(6, 1, 1, 1), None, 4)
    assert loss(Towards(batch.signed[:1], more), batch) == pytest.approx(more**2, abs=1e-4)


def test_two_processes_average_to_what_one_computes() -> None:
    network = Towards(torch.zeros(1, 8, 8), 0.0)
    halves = [loss(network, Batch(LEVELS[3 * i :][:3], None, 4, i, 2)) for i in (0, 1)]
    assert halves[0] != halves[1]
    assert sum(halves) / 2 == pytest.approx(loss(network, Batch(LEVELS, None, 4)), rel=1e-5)


@pytest.mark.parametrize(("solver", "order"), [("euler", 1), ("midpoint", 2)])
def test_twice_the_steps_divide_the_error_by_two_to_the_order(
    solver: Literal["euler", "midpoint"], order: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # dx/dt = x cos t ends at x(0) exp(sin 1)
    monkeypatch.setattr(VelocityNet, "forward", lambda self, x, t: x * t.cos())
    z = torch.linspace(-2, 2, 64, dtype=torch.float64)[None]
    errors = []
    for steps in (20, 40):
        config = FlowMatchingConfig(solver=solver, solver_steps=steps)
        end = VelocityNet(config, ImageSpec(1, 8)).flow(z).flatten(1)
        errors.append((end - z * torch.tensor(1.0).sin().exp()).abs().max())
    assert float(errors[0] / errors[1]) == pytest.approx(2**order, rel=0.1)
