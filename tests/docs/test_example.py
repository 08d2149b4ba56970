"""The plugin in examples/, installed beside the wheel, and the code of docs/objectives.md."""

from __future__ import annotations

import json
import re
import shutil
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from environments import make_environment, run
from project import ROOT
from torch import nn
from torch.nn.functional import softplus

from zoo import Config, ImageSpec, Latent, ModelConfig, hookimpl
from zoo.config.sections import DataConfig, TrainingConfig
from zoo.data.batch import Batch
from zoo.flows import standard_normal_log_prob
from zoo.gan import GANConfig
from zoo.objectives import MaximumLikelihood, Objective

EXAMPLE = ROOT / "examples" / "genzoo-flowmatching"
PAGE = (ROOT / "docs" / "objectives.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an environment ``env``, which has the wheel and the example installed, and with
    a copy of the example."""
    folder = tmp_path_factory.mktemp("example")
    env, source = make_environment(folder, wheel), folder / EXAMPLE.name
    shutil.copytree(EXAMPLE, source, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    run(env / "bin/pip", "install", "--quiet", "--no-compile", source, cwd=folder)
    return folder


def test_it_is_listed_with_the_models_of_genzoo(installed: Path) -> None:
    models = json.loads(run(installed / "env/bin/zoo", "list", "--json", cwd=installed))
    by_name = {model["name"]: model for model in models}
    assert "glow" in by_name
    assert by_name["flowmatching"]["plugin"]["distribution"] == "genzoo-flowmatching"
    code = "import zoo, zoo_flowmatching; print(zoo.__file__, zoo_flowmatching.__file__)"
    for file in run(installed / "env/bin/python", "-c", code, cwd=installed).split():
        assert Path(file).is_relative_to(installed / "env")


def test_it_trains_samples_and_has_a_card(installed: Path) -> None:
    zoo, path = installed / "env/bin/zoo", installed / "runs/flowmatching-digits"
    small = ("--steps", "3", "--set", "width=8", "--device", "cpu")
    run(zoo, "train", "flowmatching", *small, cwd=installed)
    run(zoo, "sample", path, "-n", "5", "-o", "x.npy", cwd=installed)
    images = np.load(installed / "x.npy")
    assert images.shape == (5, 1, 8, 8)
    assert images.min() >= 0
    assert images.max() <= 1
    assert images.std() > 0.1
    card = (path / "README.md").read_text(encoding="utf-8")
    assert "# flowmatching-digits: flow matching on digits" in card
    assert "$" not in card


def test_its_own_tests_pass(installed: Path) -> None:
    """They include the plugin contract, ``zoo.testing``."""
    output = run(installed / "env/bin/pytest", "-q", cwd=installed / EXAMPLE.name)
    assert " passed" in output
    assert "skipped" not in output


def block(line: str) -> str:
    """The Python block of the page that contains ``line``."""
    (match,) = [b for b in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if line in b]
    return match


def names(line: str) -> dict:
    """The names that the block with ``line`` defines."""
    namespace = {"hookimpl": hookimpl}
    exec(compile(block(line), "objectives.md", "exec"), namespace)
    return namespace


def test_the_page_shows_the_objective_of_the_example() -> None:
    file = (EXAMPLE / "zoo_flowmatching" / "objective.py").read_text(encoding="utf-8")
    assert block("class FlowMatching(Objective)") == file


def test_the_page_shows_the_hook_of_the_example() -> None:
    plugin = (EXAMPLE / "zoo_flowmatching" / "__init__.py").read_text(encoding="utf-8")
    signature = "(network: VelocityNet, config: Config) -> Objective"
    assert signature in plugin
    assert block("return FlowMatching(network") in plugin.replace(signature, "(network, config)")


class Density(nn.Module):
    """Independent normal pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return standard_normal_log_prob(x.flatten(1) - self.mean)


class Generator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.image, self.latent = ImageSpec(1, 8), Latent(3, "normal")
        self.layer = nn.Linear(3, 64)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.layer(z).tanh().reshape(-1, 1, 8, 8)


class Critic(nn.Module):
    def __init__(self, config: object = None, image: object = None) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x.flatten(1)).squeeze(1)


def batch() -> Batch:
    torch.manual_seed(0)
    return Batch(torch.randint(16, (8, 1, 8, 8), dtype=torch.uint8), None, 4)


def losses(objective: Objective) -> list[tuple[str, float]]:
    """The updates of a training step, with their losses."""
    updates: list[tuple[str, float]] = []
    batches = [batch()] * objective.batches_per_step
    objective.step(batches, lambda name, loss: updates.append((name, loss.item())))
    return updates


def config(model: ModelConfig) -> Config:
    return Config(model, DataConfig(), TrainingConfig())


def test_the_hooks_of_the_page_return_the_objectives_of_the_core(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hook = names("return MaximumLikelihood(")["zoo_train"]
    objective = hook(Density(), config(ModelConfig()))
    assert isinstance(objective, MaximumLikelihood)
    ((name, bits),) = losses(objective)
    assert name == "network"
    assert 0 < bits < 8

    module = types.ModuleType("zoo_mine.model")
    module.Critic = Critic
    monkeypatch.setitem(sys.modules, "zoo_mine", types.ModuleType("zoo_mine"))
    monkeypatch.setitem(sys.modules, "zoo_mine.model", module)
    hook = names("return GANObjective(")["zoo_train"]
    objective = hook(Generator(), config(GANConfig()))
    assert [name for name, _ in losses(objective)] == ["critic", "generator"]


@pytest.mark.parametrize("loss", ["bce", "hinge", "wasserstein"])
def test_the_table_of_losses_matches_the_code(loss: str) -> None:
    from zoo.gan.losses import LOSSES

    real, fake = torch.randn(2, 100, generator=torch.Generator().manual_seed(0))
    (row,) = re.findall(rf"^\| `{loss}` \| (.*) \| (.*) \|$", PAGE, re.MULTILINE)
    critic, generator = (
        eval(
            cell.replace("D(G(z))", "fake").replace("D(x)", "real").replace("max(0,", "relu("),
            {"fake": fake, "real": real, "relu": torch.relu, "softplus": softplus},
        ).mean()
        for cell in row
    )
    assert LOSSES[loss].critic(real, fake) == pytest.approx(critic)
    assert LOSSES[loss].generator(fake) == pytest.approx(generator)


def test_the_two_network_objective_of_the_page_updates_both_networks() -> None:
    TwoToOne = names("class TwoToOne(Objective)")["TwoToOne"]
    objective = TwoToOne(Generator(), Critic(), TrainingConfig())
    changes = []

    def update(name: str, loss: torch.Tensor) -> None:
        before = [p.detach().clone() for p in objective.networks[name].parameters()]
        optimizer = objective.optimizers[name]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        for old, new in zip(before, objective.networks[name].parameters(), strict=True):
            changes.append((name, (new - old).abs().max().item()))

    metrics = objective.step([batch(), batch()], update)
    assert [name for name, _ in changes[::2]] == ["critic", "critic", "generator"]
    assert all(change > 0 for _, change in changes)
    assert list(metrics) == ["generator_loss", "critic_loss"]
    assert not any(value.requires_grad for value in metrics.values())
