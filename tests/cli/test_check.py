"""``zoo check`` and the conformance kit: output, and plugins that are wrong in many ways."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import Annotated, Literal

import pytest
import torch
from contract import PROMISES
from pydantic import Field
from tiny import Tiny, tiny_host
from torch import nn

import zoo
from zoo import Graph, ImageSpec, Latent, ModelConfig, ModelSpec, UsageError, hookimpl, hookspecs
from zoo.api import host as installed_host
from zoo.errors import Interrupted
from zoo.export.graphs import graphs_of, trace
from zoo.model import Model
from zoo.objectives import Objective, make_optimizer
from zoo.plugins.host import Host, Plugin
from zoo.testing import Finding, assert_conforms, check

SMALL = {"depth": 2, "width": 16}
FLAGS = ("--set", "depth=1", "--set", "width=16", "--steps", "20", "--device", "cpu")


class PaintConfig(ModelConfig):
    """One key of each kind."""

    spread: Annotated[float, Field(gt=0, le=1, description="standard deviation of images")] = 0.1
    color: Annotated[Literal["grey", "none"], Field(description="color")] = "grey"
    latent: Annotated[int, Field(ge=1, description="latent size")] = 5


class Paint(nn.Module):
    """A linear decoder: a learned mean plus a learned matrix times the latent."""

    def __init__(self, config, image):
        super().__init__()
        self.latent = Latent(config.latent, "normal")
        self.shape = (image.channels, image.size, image.size)
        self.mean = nn.Parameter(torch.full((image.dimensions,), 0.5))
        self.matrix = nn.Parameter(config.spread * torch.randn(image.dimensions, config.latent))

    def forward(self, z):
        return (self.mean + z @ self.matrix.T).reshape(-1, *self.shape)


class SquaredError(Objective):
    """Mean squared error between samples and the images of the batch."""

    def __init__(self, network, training):
        self.networks = {"network": network}
        self.optimizers = {"network": make_optimizer(network.parameters(), training)}

    def step(self, batches, update):
        images = self.networks["network"](batches[0].randn(5))
        loss = (images - batches[0].images).square().mean()
        update("network", loss)
        return {"loss": loss.detach()}


class Painter:
    """A correct plugin without a score or an encoder; subclasses break it."""

    spread = 0.1
    card = None
    capabilities = ("sample",)

    @hookimpl
    def zoo_models(self):
        training = {"steps": 20, "learning_rate": 0.02}
        presets = {"digits": {"model": {"spread": self.spread}, "training": training}}
        more = {"capabilities": self.capabilities, "card": self.card}
        return [
            ModelSpec(
                name="paint",
                family="test",
                title="Paint",
                paper="-",
                config=PaintConfig,
                presets=presets,
                **more,
            )
        ]

    @hookimpl
    def zoo_build(self, config, image):
        if config.color == "none":
            raise UsageError("model.color = none is not supported: use grey")
        return Paint(config, image)

    @hookimpl
    def zoo_train(self, network, config):
        return SquaredError(network, config.training)

    @hookimpl
    def zoo_sample(self, network, latents, temperature):
        return network(latents * temperature).clamp(0, 1)


def findings(plugin: object, model: str = "paint", **options: object) -> dict[str, Finding]:
    """Checks a plugin that is not installed; returns the findings by name."""
    host = Host(hookspecs)
    assert host.add(Plugin("painter", "tests", "0"), plugin).cause is None
    report = check(model, host=host, **{"steps": 20, "device": "cpu", **options})
    by_name = {finding.name: finding for finding in report.findings}
    assert list(by_name) == PROMISES
    assert all(finding.measured and "\n" not in finding.measured for finding in report.findings)
    return by_name


@pytest.fixture
def unimportable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the plugins look as if defined interactively: importing this module in a new process
    would import torch."""
    monkeypatch.setattr("zoo.testing.importing.find_spec", lambda name: None)


def broken(findings: dict[str, Finding]) -> dict[str, str]:
    return {name: f.measured for name, f in findings.items() if f.status == "broken"}


# The command


def test_json_of_a_conditional_model_is_one_document(commands) -> None:
    result = commands("check", "glow", *FLAGS, "--set", "conditional=true", "--json")
    assert (result.status, result.err) == (0, ""), result
    report = json.loads(result.out)
    assert report["model"] == "glow"
    assert report["plugin"].keys() == {"name", "distribution", "version"}
    shape = {"channels": 1, "size": 8, "classes": 10, "bits": 4}
    assert report["image"] == {**shape, "class_names": [*"0123456789"]}
    assert [promise["name"] for promise in report["promises"]] == PROMISES
    for promise in report["promises"]:
        assert promise.keys() == {"name", "promise", "status", "measured"}
        assert promise["status"] == "kept"
        assert promise["promise"]
        assert promise["measured"]


DOT = """
import torch
print("hello")
from zoo import Latent, ModelConfig, ModelSpec, hookimpl

@hookimpl
def zoo_models():
    presets = {"digits": {"training": {"steps": 5}}}
    spec = dict(name="dot", family="density", title="Dot", paper="-", config=ModelConfig)
    return [ModelSpec(**spec, presets=presets)]

@hookimpl
def zoo_build(image):
    raise SystemExit(3)

@hookimpl
def zoo_train(network, config): ...

@hookimpl
def zoo_sample(network, latents): ...
"""


def test_a_broken_promise_gives_exit_status_1_and_valid_json(commands, site) -> None:
    site.add("dot", DOT)
    result = commands("check", "dot", "--json")
    assert result.status == 1
    promises = {promise["name"]: promise for promise in json.loads(result.out)["promises"]}
    statuses = {name: promise["status"] for name, promise in promises.items()}
    assert [name for name in statuses if statuses[name] == "broken"] == ["imports", "builds"]
    assert "importing dot imports torch" in promises["imports"]["measured"]
    assert promises["builds"]["measured"].startswith("SystemExit: 3 (")
    assert "dot.py, line 14)" in promises["builds"]["measured"]
    lines = commands("check", "dot").out.splitlines()
    assert lines[-1] == (
        "dot breaks 2 of 20 promises that apply to it: imports, builds; 14 not measured"
    )
    assert lines[0].startswith("BROKEN ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothere"], "there is no model 'nothere'"),
        (["glow", "--preset", "nothere"], "glow has no preset 'nothere'"),
        (["glow", "--set", "depth=99"], "--set depth=99: model.depth must be at most 64, got 99"),
        (
            ["glow", "--preset", "celebahq256"],
            "data.size must be at most 136 for zoo check, got 256",
        ),
        (["glow", "--steps", "0"], "Invalid value for '--steps'"),
        (["glow", "--device", "tpu"], "there is no device 'tpu'"),
    ],
)
def test_a_wrong_call_is_refused(commands, arguments: list[str], message: str) -> None:
    assert message in commands.fails(2, "check", *arguments)


def test_refusals_and_help_do_not_import_torch() -> None:
    code = (
        "import sys\nfrom zoo.cli import main\n"
        "for call in (['-h'], ['nothere'], ['glow', '--set', 'x=1']): main(['check', *call])\n"
        "sys.exit('torch' in sys.modules)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert process.returncode == 0
    assert "there is no key 'x'" in process.stderr


# Graphs


def test_the_default_graphs_are_sampler_and_encoder() -> None:
    network = zoo.build("glow", **SMALL, image_size=8, channels=1, classes=3, conditional=True)
    owner = installed_host().owner("glow")
    model = Model(owner.spec, ImageSpec(1, 8, 3, 8), network, torch.device("cpu"), owner)
    graph, encoder = graphs_of(model)
    assert (encoder.name, encoder.outputs) == ("encoder", ("z", "log_prob"))
    assert {name: list(x.shape) for name, x in encoder.inputs.items()} == {
        "image": [2, 1, 8, 8],
        "label": [2],
    }
    assert (graph.name, graph.outputs) == ("sampler", ("image",))
    assert {name: (list(x.shape), x.dtype) for name, x in graph.inputs.items()} == {
        "z": ([2, 64], torch.float32),
        "temperature": ([], torch.float32),
        "label": ([2], torch.int64),
    }
    program = trace(graph).module()
    z, label = torch.randn(6, 64), torch.tensor([0, 1, 2, 2, 1, 0])
    with torch.no_grad():
        hot = program(z=z, temperature=torch.tensor(1.0), label=label)
        cold = program(z=z, temperature=torch.tensor(0.0), label=label)
    assert hot.shape == (6, 1, 8, 8)
    assert torch.allclose(cold, cold[:1], atol=1e-5)
    assert not torch.allclose(hot, hot[:1], atol=1e-2)


# Plugins


@pytest.mark.usefixtures("unimportable")
def test_a_correct_plugin_without_score_and_encoder() -> None:
    state = torch.get_rng_state()
    results = findings(Painter())
    assert broken(results) == {}
    assert torch.equal(torch.get_rng_state(), state)
    assert {name for name in results if results[name].status == "does not apply"} == {
        *("imports", "scores", "encodes", "inverts", "density", "exports"),
    }
    assert results["exports"].measured == "no plugin offers a format"
    assert "which cannot be imported" in results["imports"].measured
    assert results["learns"].measured.startswith("energy distance ")
    assert results["choices"].measured == "0 other values work, 1 are refused"
    assert results["card"].measured.startswith("the default card")
    assert results["config"].measured == "3 keys with another value"


def test_assert_conforms_lists_the_broken_promises() -> None:
    host = Host(hookspecs)
    host.add(Plugin("painter", "tests", "0"), Painter())
    with pytest.raises(AssertionError) as raised:
        assert_conforms("paint", host=host, steps=20, device="cpu")
    first, second = str(raised.value).splitlines()[:2]
    assert first == "paint breaks 1 of 19 promises that apply to it: imports"
    assert second.startswith("imports: importing the plugin does not import torch: importing ")


class FailsToBuild(Painter):
    @hookimpl
    def zoo_build(self, config, image):
        raise RuntimeError("first line\nsecond line")


@pytest.mark.usefixtures("unimportable")
def test_a_failure_to_build_is_reported_once() -> None:
    results = findings(FailsToBuild())
    assert broken(results).keys() == {"builds"}
    assert results["builds"].measured.startswith("RuntimeError: first line (")
    assert "test_check.py, line " in results["builds"].measured
    for name in ("samples", "trains", "learns", "reloads", "resumes", "graphs"):
        assert results[name].status == "not measured"
        assert results[name].measured == "builds is broken"
    assert results["config"].status == "kept"


class NoLatent(Painter):
    @hookimpl
    def zoo_build(self, config, image):
        network = Paint(config, image)
        network.latent = 5
        return network


class NoModule(Painter):
    @hookimpl
    def zoo_build(self, config, image):
        return "a network"


class EncodesWrongTensors(Painter):
    capabilities = ("sample", "encode")

    @hookimpl
    def zoo_encode(self, network, images):
        return {"mean": images.flatten(1)}


class RaisesInSample(Painter):
    @hookimpl
    def zoo_sample(self, network, latents, temperature):
        raise KeyError("color")


class SamplesBytes(Painter):
    @hookimpl
    def zoo_sample(self, network, latents, temperature):
        return (network(latents) * 255).to(torch.uint8)


class FailsToTrain(Painter):
    @hookimpl
    def zoo_train(self, network, config):
        raise ValueError("no optimizer")


class LearnsNothing(Painter):
    @hookimpl
    def zoo_train(self, network, config):
        objective = SquaredError(network, config.training)
        for group in objective.optimizers["network"].param_groups:
            group["lr"] = 0.0
        return objective


class MixesTheBatch(Painter):
    @hookimpl
    def zoo_sample(self, network, latents, temperature):
        images = network(latents * temperature)
        return (0.9 * images + 0.1 * images.mean(0)).clamp(0, 1)


class NoCard(Painter):
    card = "zoo:nothere.md"


class BadPreset(Painter):
    spread = 7.0


class FailsAtOneChoice(Painter):
    @hookimpl
    def zoo_build(self, config, image):
        return Paint(config, image) if config.color == "grey" else {}["none"]


class Exits(Painter):
    @hookimpl
    def zoo_sample(self, network, latents, temperature):
        raise SystemExit("enough")


class MissingOutputName(Painter):
    @hookimpl
    def zoo_graphs(self, network):
        class TwoOutputs(nn.Module):
            def forward(self, z):
                return network(z).clamp(0, 1), z

        return [
            Graph(
                name="sampler",
                module=TwoOutputs(),
                inputs={"z": torch.zeros(2, 5)},
                outputs=("image",),
            )
        ]


WRONG = {
    NoLatent: ({"builds"}, "network.latent must be a zoo.Latent, got 5"),
    NoModule: ({"builds"}, "zoo_build must return an nn.Module, got str"),
    EncodesWrongTensors: (
        {"encodes"},
        "zoo_encode must return mean [7, 5], log_variance [7, 5], got mean [7, 64]",
    ),
    RaisesInSample: ({"samples"}, "KeyError: 'color'"),
    Exits: ({"samples"}, "SystemExit: enough"),
    SamplesBytes: ({"samples"}, "got torch.uint8 [7, 1, 8, 8]"),
    FailsToTrain: ({"trains"}, "ValueError: no optimizer"),
    LearnsNothing: ({"learns"}, "it must decrease"),
    MixesTheBatch: ({"independent"}, "in a batch of one, an image differs by"),
    NoCard: ({"card"}, "zoo:nothere.md cannot be read"),
    BadPreset: ({"presets"}, "preset digits: model.spread must be at most 1.0, got 7.0"),
    FailsAtOneChoice: ({"choices"}, "model.color = 'none': KeyError: 'none'"),
    MissingOutputName: ({"graphs"}, "the graph 'sampler' returns 2 outputs but names 1"),
}


@pytest.mark.usefixtures("unimportable")
@pytest.mark.parametrize("plugin", WRONG, ids=lambda plugin: plugin.__name__)
def test_a_wrong_plugin_breaks_one_promise(plugin: type) -> None:
    names, message = WRONG[plugin]
    measured = broken(findings(plugin()))
    assert measured.keys() == names
    assert message in " ".join(measured.values())


class Terminated(Painter):
    @hookimpl
    def zoo_train(self, network, config):
        return Terminating(network, config.training)


class Terminating(SquaredError):
    def step(self, batches, update):
        signal.raise_signal(signal.SIGTERM)
        return super().step(batches, update)


@pytest.mark.usefixtures("unimportable")
def test_a_signal_stops_the_check() -> None:
    with pytest.raises(Interrupted, match=r"^interrupted; nothing is saved$") as raised:
        findings(Terminated())
    assert raised.value.exit_code == 143


@pytest.mark.usefixtures("unimportable")
def test_a_gan_can_be_checked() -> None:
    report = check("gan", host=tiny_host(), steps=20, device="cpu")
    assert {finding.name for finding in report.broken} == {"descriptions"}


@pytest.mark.usefixtures("unimportable")
def test_a_density_known_in_closed_form_can_be_checked() -> None:
    results = findings(Tiny(), "tiny")
    assert broken(results).keys() == {"descriptions"}
    assert results["scores"].status == "kept"


@pytest.mark.usefixtures("unimportable")
def test_the_digits_are_padded_to_the_configured_size_and_channels() -> None:
    results = findings(Painter(), config={"data.size": 20, "data.channels": 3, "data.source": "no"})
    assert broken(results) == {}
    assert results["samples"].measured == "torch.float32 [7, 3, 20, 20]"


def test_the_density_of_large_images_is_not_checked() -> None:
    report = check("glow", config={"depth": 1, "width": 4, "data.size": 40}, steps=5, device="cpu")
    assert report.image == ImageSpec(1, 40, 10, 4, tuple("0123456789"))
    assert not report.broken
    (density,) = [finding for finding in report.findings if finding.name == "density"]
    assert density.status == "does not apply"
    assert density.measured.startswith("an image has 1600 values")
