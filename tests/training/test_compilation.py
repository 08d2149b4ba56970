"""Compiled training: equal to eager training, without graph breaks, in as few graphs as shapes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from functorch.compile import make_boxed_func
from steps import assert_equal_weights, steps
from torch import fx, nn
from torch._dynamo.backends.common import aot_autograd
from torch._dynamo.testing import CompileCounterWithBackend
from torch._dynamo.utils import counters
from torch._inductor.cpu_vec_isa import VecAVX2, VecISA

import zoo
from zoo.config.resolve import Setting
from zoo.config.sections import TrainingConfig
from zoo.errors import ZooError
from zoo.run import train
from zoo.runs.folder import RunFolder
from zoo.specs import CompileGain, ImageSpec
from zoo.system.progress import Progress
from zoo.training import execution
from zoo.training.compile_choice import choose_compile, missing_compiler, work_of
from zoo.training.limits import Limits
from zoo.training.regions import regions_of
from zoo.training.request import Request

GLOW = {"levels": 2, "depth": 2, "width": 4}
GAN = {"width": 4, "critic_width": 4}

MODELS = {
    "nice": ("nice", {"couplings": 4, "width": 8, "depth": 1}, 2),
    "realnvp": ("realnvp", {"width": 2, "blocks": 1}, 4),
    "glow": ("glow", GLOW, 2),
    "glow in bf16": ("glow", {**GLOW, "training.precision": "bf16"}, 2),
    # Without gradients in the forward pass, with them in the backward pass.
    "glow in reversible memory": ("glow", {**GLOW, "memory": "reversible"}, 4),
    "vae": ("vae", {"width": 4, "training.ema_decay": 0.9}, 2),
    # Of the critic, one for gradients of its weights and one for those of images alone.
    "dcgan": ("dcgan", GAN, 3),
    "dcgan with a gradient penalty": (
        "dcgan",
        {**GAN, "loss": "wasserstein", "gradient_penalty": 10.0},
        1,
    ),
    "sngan": ("sngan", {**GAN, "architecture": "resnet", "critic_steps": 2}, 4),
}
"""Models with their settings and the number of their graphs."""


class Said(Progress):
    """Keeps the lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> Iterator[CompileCounterWithBackend]:
    """Counts graphs, which run by torch's own operators instead of inductor's kernels."""
    torch._dynamo.reset()
    counters.clear()
    counting = CompileCounterWithBackend("eager")
    monkeypatch.setattr(execution, "BACKEND", counting)
    yield counting
    torch._dynamo.reset()


@pytest.mark.parametrize("name", MODELS)
def test_compiled_steps_equal_eager_ones_and_break_no_graph(
    name: str, tmp_path: Path, graphs: CompileCounterWithBackend
) -> None:
    model, config, expected = MODELS[name]
    eager = steps(model, tmp_path, "off", **config)
    assert not graphs.frame_count
    compiled = steps(model, tmp_path, "on", **config)
    assert not counters["graph_break"]
    assert graphs.frame_count == expected
    assert_equal_weights(compiled, eager)
    for network in compiled.state.networks.values():
        assert not any(module._compiled_call_impl for module in network.modules())


def test_the_number_of_graphs_does_not_grow_with_depth(
    tmp_path: Path, graphs: CompileCounterWithBackend
) -> None:
    counts = []
    for depth in (1, 4):
        torch._dynamo.reset()
        before = graphs.frame_count
        steps("glow", tmp_path, "on", 1, levels=1, depth=depth, width=2)
        counts.append(graphs.frame_count - before)
    assert counts == [1, 1]


def execution_of(network: nn.Module) -> execution.Execution:
    return execution.Execution({"network": network}, (), TrainingConfig(compile="on"), print)


# Regions


class Blocks(nn.Module):
    regions = ("blocks", "head")

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(nn.Linear(1, 1) for _ in range(2))
        self.body, self.head = nn.Linear(1, 1), nn.Linear(1, 1)


class Eager(nn.Linear):
    regions = ()


def test_regions_are_those_that_a_class_declares_else_the_network() -> None:
    blocks = Blocks()
    own = [*blocks.blocks, blocks.head]
    assert regions_of(blocks) == own
    assert regions_of(nn.Sequential(nn.ReLU(), blocks, blocks)) == own
    plain = nn.Sequential(nn.ReLU())
    assert regions_of(plain) == [plain]
    assert regions_of(nn.Sequential(Eager(1, 1), plain)) == []
    glow = zoo.build("glow", image_size=8, channels=1, levels=2, depth=3, width=2)
    assert len(regions_of(glow)) == 6


def test_a_sequential_of_torch_is_compiled(graphs: CompileCounterWithBackend) -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
    running = execution_of(network)
    x = torch.rand(3, 2)
    expected = network(x)
    with running.installed():
        network(x)
        assert not graphs.frame_count, "outside a step"
        with running.step():
            assert torch.equal(network(x), expected)
    assert graphs.frame_count == 1
    assert not network._compiled_call_impl


# Runs


def run(
    model: str, out: Path, said: Progress | None = None, resume: bool = False, **settings: object
):
    chosen = [
        Setting(*key.replace("__", ".").split("."), value, key) for key, value in settings.items()
    ]
    request = Request(model, settings=chosen, out=out, resume=resume, device="cpu")
    return train(tiny.tiny_host(), request, said or Progress())


def stored(folder: Path) -> str:
    return json.loads((folder / "config.json").read_text())["config"]["training"]["compile"]


def test_a_resumed_run_stays_compiled_and_ends_with_the_same_bytes(
    tmp_path: Path, graphs: CompileCounterWithBackend
) -> None:
    whole = run("gan", tmp_path / "whole", training__compile="on", training__steps=4)
    run("gan", tmp_path / "half", training__compile="on", training__steps=2)
    count = graphs.frame_count
    torch._dynamo.reset()
    resumed = run("gan", tmp_path / "half", resume=True, training__steps=4)
    assert graphs.frame_count > count > 0
    assert stored(whole.path) == stored(resumed.path) == "on"
    weights = [(r.path / "model.safetensors").read_bytes() for r in (whole, resumed)]
    assert weights[0] == weights[1]
    count = graphs.frame_count
    torch._dynamo.reset()
    run("gan", tmp_path / "half", resume=True, training__compile="off", training__steps=5)
    assert graphs.frame_count == count
    assert stored(tmp_path / "half") == "off"


def test_an_old_run_is_resumed_without_compilation(
    tmp_path: Path, graphs: CompileCounterWithBackend
) -> None:
    path = run("tiny", tmp_path / "r", training__compile="on", training__steps=1).path
    values = json.loads((path / "config.json").read_text())
    del values["config"]["training"]["compile"], values["integrity"]
    values["format_version"] = 3
    (path / "config.json").write_text(json.dumps(values))
    assert RunFolder(path).read_config()["config"]["training"]["compile"] == "off"
    count = graphs.frame_count
    run("tiny", path, resume=True, training__steps=2, training__compile="auto")
    assert graphs.frame_count == count
    assert stored(path) == "off"


def test_a_loss_that_is_not_finite_stops_a_compiled_run(
    tmp_path: Path, graphs: CompileCounterWithBackend
) -> None:
    with pytest.raises(ZooError, match="not finite at step 2"):
        run("tiny", tmp_path / "r", model__fail_at=2, training__compile="on", training__log_every=1)
    assert graphs.frame_count


def test_a_run_goes_on_where_compilation_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(graph: object, inputs: object) -> None:
        raise OSError("no space left\nin the cache")

    eager = run("gan", tmp_path / "eager", training__compile="off", training__steps=2)
    assert stored(eager.path) == "off"
    monkeypatch.setattr(execution, "BACKEND", broken)
    torch._dynamo.reset()
    said = Said()
    failed = run("gan", tmp_path / "failed", said, training__compile="on", training__steps=2)
    assert "training without torch.compile, which failed: no space left" in said.lines
    for one, other in zip(eager.network.parameters(), failed.network.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_compiler_is_trusted_with_vector_instructions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the graphs of backward passes too, which are compiled later."""
    monkeypatch.setattr(VecISA, "check_build", lambda isa, code: False)
    trusted: list[bool] = []

    def compiler(graph: fx.GraphModule, inputs: object) -> Callable[..., Any]:
        trusted.append(bool(VecAVX2()))
        return make_boxed_func(graph.forward)

    monkeypatch.setattr(execution, "BACKEND", aot_autograd(fw_compiler=compiler))
    torch._dynamo.reset()
    steps("nice", tmp_path, "on", couplings=4, width=8, depth=1)
    assert trusted == [True] * 4


def test_undeclared_second_derivatives_are_an_error_with_the_fix(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(execution, "BACKEND", "aot_eager")
    torch._dynamo.reset()
    network, x = nn.Sequential(nn.Linear(1, 1), nn.Tanh()), torch.ones(1, 1, requires_grad=True)
    running = execution_of(network)

    def step() -> None:
        with running.installed(), running.step():
            (gradient,) = torch.autograd.grad(network(x).sum(), x, create_graph=True)
            gradient.sum().backward()

    with pytest.raises(ZooError, match="name the network in second_derivatives"):
        step()


# The choice

GAIN = CompileGain(
    device="cpu", precision="fp32", compile_seconds=30, step_seconds=2.0, saved=0.125
)


@pytest.mark.parametrize(
    ("settings", "billions", "choice"),
    [
        ({"steps": 100, "compile": "on"}, 0.1, "on"),
        ({"steps": 10**6, "compile": "off"}, 1, "off"),
        ({"steps": 119}, 1, "off"),  # saves 0.25 s a step
        ({"steps": 121}, 1, "on"),
        ({"steps": 121}, 0.5, "off"),
        ({"minutes": 3.9}, 1, "off"),  # saves an eighth
        ({"minutes": 4.1}, 1, "on"),
        ({"minutes": 4.1, "steps": 119}, 1, "off"),
    ],
)
def test_auto_is_on_where_a_run_saves_more_than_compilation_takes(
    settings: dict[str, object], billions: float, choice: str
) -> None:
    training = TrainingConfig(**settings)
    limits, device = Limits(training, images=100), torch.device("cpu")
    arguments = (billions, limits, device, print)
    assert choose_compile(training, [GAIN], "fp32", *arguments) == choice
    if training.compile == "auto":
        assert choose_compile(training, [GAIN], "bf16", *arguments) == "off", "not measured"
        assert choose_compile(training, [], "fp32", *arguments) == "off"


def test_without_a_compiler_a_run_is_eager_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert missing_compiler(torch.device("cpu")) is None
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    training, said = TrainingConfig(steps=1, compile="on"), Said()
    limits = Limits(training, images=100)
    cpu = torch.device("cpu")
    assert choose_compile(training, [], "fp32", 1.0, limits, cpu, said.say) == "off"
    assert said.lines == [
        "training without torch.compile, which needs a C++ compiler, and there is no g++ or "
        "clang++ or c++"
    ]


def test_the_work_of_a_step_counts_weights_of_convolutions_at_every_pixel() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Linear(5, 3, bias=False))
    assert work_of([network], 10, ImageSpec(1, 8)) == 10 * (18 * 64 + 2 + 15) / 1e9


# inductor


@pytest.mark.slow
def test_100_steps_compiled_by_inductor_have_the_bits_per_dim_of_eager_ones(
    tmp_path: Path,
) -> None:
    torch._dynamo.reset()
    final, weights = [], []
    for name, compile, lengths in (
        ("eager", "off", (100,)),
        ("compiled", "on", (100,)),
        ("resumed", "on", (40, 100)),
    ):
        for length in lengths:
            trained = zoo.train(
                "glow",
                steps=length,
                config={**GLOW, "training.compile": compile, "training.decay": "none"},
                out=tmp_path / name,
                resume=length != lengths[0],
                device="cpu",
                quiet=True,
            )
        final.append(RunFolder(trained.path).read_metrics()[-1]["validation_bits_per_dim"])
        weights.append((trained.path / "model.safetensors").read_bytes())
    assert abs(final[0] - final[1]) < 0.01
    assert weights[1] == weights[2] != weights[0]
