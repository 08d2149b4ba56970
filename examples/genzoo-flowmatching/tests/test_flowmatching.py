"""The plugin contract, the loss, and the order of the solvers."""

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


def test_conformance() -> None:
    assert_conforms("flowmatching", config={"width": 8, "solver_steps": 3})


class ExactVelocity(nn.Module):
    """The velocity of all lines to one image, (image - x) / (1 - t), plus an error."""

    def __init__(self, image: Tensor, error: float) -> None:
        super().__init__()
        self.image, self.error = image, nn.Parameter(torch.tensor(error))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return (self.image - x) / (1 - t[:, None, None, None]) + self.error


def loss(network: nn.Module, batch: Batch) -> float:
    """The loss of a training step."""
    losses: list[Tensor] = []
    torch.manual_seed(0)
    FlowMatching(network, TrainingConfig()).step([batch], lambda name, loss: losses.append(loss))
    return float(losses[0].detach())


@pytest.mark.parametrize("error", [0.0, 0.5])
def test_the_loss_is_the_squared_error_of_the_velocity(error: float) -> None:
    batch = Batch(LEVELS[:1].repeat(6, 1, 1, 1), None, 4)
    assert loss(ExactVelocity(batch.signed[:1], error), batch) == pytest.approx(error**2, abs=1e-4)


def test_the_mean_loss_of_two_processes_equals_that_of_one() -> None:
    network = ExactVelocity(torch.zeros(1, 8, 8), 0.0)
    halves = [loss(network, Batch(LEVELS[3 * i :][:3], None, 4, i, 2)) for i in (0, 1)]
    assert halves[0] != halves[1]
    assert sum(halves) / 2 == pytest.approx(loss(network, Batch(LEVELS, None, 4)), rel=1e-5)


@pytest.mark.parametrize(("solver", "order"), [("euler", 1), ("midpoint", 2)])
def test_solvers_converge_with_their_order(
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
