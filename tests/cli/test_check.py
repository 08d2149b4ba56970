"""``zoo check`` and the kit behind it: what it prints, and plugins that go wrong in every way."""

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
from zoo.objectives import Objective, make_optimizer
from zoo.plugins.host import Host, Plugin
from zoo.testing import Finding, assert_conforms, check

SMALL = {"depth": 2, "width": 16}
FLAGS = ("--set", "depth=2", "--set", "width=16", "--steps", "30", "--device", "cpu")


class PaintConfig(ModelConfig):
    """One key of each kind."""

    spread: Annotated[float, Field(gt=0, le=1, description="of pictures")] = 0.1
    color: Annotated[Literal["grey", "none"], Field(description="what to paint with")] = "grey"
    latent: Annotated[int, Field(ge=1, description="numbers in a latent")] = 5


class Paint(nn.Module):
    """Pictures are one learned picture and what a learned matrix makes of the latent."""

    def __init__(self, config, image):
        super().__init__()
        self.latent = Latent(config.latent, "normal")
        self.shape = (image.channels, image.size, image.size)
        self.mean = nn.Parameter(torch.full((image.dimensions,), 0.5))
        self.matrix = nn.Parameter(config.spread * torch.randn(image.dimensions, config.latent))

    def forward(self, z):
        return (self.mean + z @ self.matrix.T).reshape(-1, *self.shape)


class Nearer(Objective):
    """Moves pictures to those of the batch."""

    def __init__(self, network, training):
        self.networks = {"network": network}
        self.optimizers = {"network": make_optimizer(network.parameters(), training)}

    def step(self, batches, update):
        drawn = self.networks["network"](batches[0].randn(5))
        loss = (drawn - batches[0].images).square().mean()
        update("network", loss)
        return {"loss": loss.detach()}


class Painter:
    """A right plugin with no score and no way back; tests make wrong ones of it."""

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
            raise UsageError("model.color = none paints nothing: take grey")
        return Paint(config, image)

    @hookimpl
    def zoo_train(self, network, config):
        return Nearer(network, config.training)

    @hookimpl
    def zoo_sample(self, network, latents, temperature):
        return network(latents * temperature).clamp(0, 1)


def findings(plugin: object, model: str = "paint", **how: object) -> dict[str, Finding]:
    """What the kit finds in a plugin that nobody installed."""
    host = Host(hookspecs)
    assert host.add(Plugin("painter", "tests", "0"), plugin).cause is None
    report = check(model, host=host, **{"steps": 20, "device": "cpu", **how})
    found = {finding.name: finding for finding in report.findings}
    assert list(found) == PROMISES
    assert all(finding.measured and "\n" not in finding.measured for finding in report.findings)
    return found


@pytest.fixture
def unimported(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if these plugins were typed into a Python that is running: importing the tests in a fresh
    process would import torch, which takes long and is no plugin's fault."""
    monkeypatch.setattr("zoo.testing.importing.find_spec", lambda name: None)


def broken(found: dict[str, Finding]) -> dict[str, str]:
    return {name: finding.measured for name, finding in found.items() if finding.status == "broken"}


# The command


def test_json_is_one_document_of_a_conditional_model(commands) -> None:
    result = commands("check", "glow", *FLAGS, "--set", "conditional=true", "--json")
    assert (result.status, result.err) == (0, ""), result
    report = json.loads(result.out)
    assert report["model"] == "glow"
    assert report["plugin"].keys() == {"name", "distribution", "version"}
    assert report["image"] == {"channels": 1, "size": 8, "classes": 10, "bits": 4}
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


def test_a_broken_promise_is_exit_status_1_and_json_stays_whole(commands, site) -> None:
    site.add("dot", DOT)
    result = commands("check", "dot", "--json")
    assert result.status == 1
    found = {promise["name"]: promise for promise in json.loads(result.out)["promises"]}
    assert [name for name in found if found[name]["status"] == "broken"] == ["imports", "builds"]
    assert "importing dot imports torch" in found["imports"]["measured"]
    assert found["builds"]["measured"].startswith("SystemExit: 3 (")
    assert "dot.py, line 13)" in found["builds"]["measured"]
    said = commands("check", "dot").out.splitlines()
    assert said[-1] == (
        "dot breaks 2 of the 20 promises that apply to it: imports, builds; 14 could not be "
        "measured"
    )
    assert said[0].startswith("BROKEN ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothere"], "there is no model 'nothere'"),
        (["glow", "--preset", "nothere"], "glow has no preset 'nothere'"),
        (["glow", "--set", "depth=99"], "--set depth=99: model.depth must be at most 64, got 99"),
        (["glow", "--preset", "celebahq256"], "the digits that models are checked on fill 136"),
        (["glow", "--steps", "0"], "Invalid value for '--steps'"),
        (["glow", "--device", "tpu"], "there is no device 'tpu'"),
    ],
)
def test_a_wrong_call_is_refused_in_a_sentence(commands, arguments: list[str], said: str) -> None:
    assert said in commands.fails(2, "check", *arguments)


def test_refusing_and_help_import_no_torch() -> None:
    code = (
        "import sys\nfrom zoo.cli import main\n"
        "for call in (['-h'], ['nothere'], ['glow', '--set', 'x=1']): main(['check', *call])\n"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "there is no key 'x'" in done.stderr


# Graphs


def test_sampler_and_encoder_are_the_graphs_of_a_plugin_that_names_none() -> None:
    network = zoo.build("glow", **SMALL, image_size=8, channels=1, classes=3, conditional=True)
    graph, encoder = graphs_of(installed_host(), "glow", network)
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


@pytest.mark.usefixtures("unimported")
def test_a_right_plugin_without_score_and_way_back() -> None:
    state = torch.get_rng_state()
    found = findings(Painter())
    assert broken(found) == {}
    assert torch.equal(torch.get_rng_state(), state)
    assert {name for name in found if found[name].status == "does not apply"} == {
        *("imports", "scores", "encodes", "inverts", "density", "exports"),
    }
    assert found["exports"].measured == "no plugin offers a format"
    assert "which cannot be imported by name" in found["imports"].measured
    assert found["learns"].measured.startswith("energy distance to the pictures ")
    assert found["choices"].measured == "0 other values draw, 1 are refused"
    assert found["card"].measured.startswith("the plain one")
    assert found["remembered"].measured == "3 keys at another value"


def test_one_call_asserts_it_all() -> None:
    host = Host(hookspecs)
    host.add(Plugin("painter", "tests", "0"), Painter())
    with pytest.raises(AssertionError) as raised:
        assert_conforms("paint", host=host, steps=20, device="cpu")
    first, second = str(raised.value).splitlines()[:2]
    assert first == "paint breaks 1 of its promises:"
    assert second.startswith("imports: importing the plugin loads no torch: importing ")


class DoesNotBuild(Painter):
    @hookimpl
    def zoo_build(self, config, image):
        raise RuntimeError("no\nway")


@pytest.mark.usefixtures("unimported")
def test_what_does_not_build_is_said_once() -> None:
    found = findings(DoesNotBuild())
    assert broken(found).keys() == {"builds"}
    assert found["builds"].measured.startswith("RuntimeError: no (")
    assert "test_check.py, line " in found["builds"].measured
    for name in ("draws", "trains", "learns", "reloads", "resumes", "graphs"):
        assert (found[name].status, found[name].measured) == ("not measured", "builds is broken")
    assert found["remembered"].status == "kept"


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


class EncodesNothing(Painter):
    capabilities = ("sample", "encode")

    @hookimpl
    def zoo_encode(self, network, images):
        return {"mean": images.flatten(1)}


class RaisesInSample(Painter):
    @hookimpl
    def zoo_sample(self, network, latents, temperature):
        raise KeyError("color")


class DrawsBytes(Painter):
    @hookimpl
    def zoo_sample(self, network, latents, temperature):
        return (network(latents) * 255).to(torch.uint8)


class DoesNotTrain(Painter):
    @hookimpl
    def zoo_train(self, network, config):
        raise ValueError("no optimizer")


class LearnsNothing(Painter):
    @hookimpl
    def zoo_train(self, network, config):
        found = Nearer(network, config.training)
        for group in found.optimizers["network"].param_groups:
            group["lr"] = 0.0
        return found


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


class CopiesTheSize(Painter):
    @hookimpl
    def zoo_graphs(self, network):
        class Two(nn.Module):
            def forward(self, z):
                return network(z).clamp(0, 1), z

        return [
            Graph(name="sampler", module=Two(), inputs={"z": torch.zeros(2, 5)}, outputs=("image",))
        ]


WRONG = {
    NoLatent: ({"builds"}, "network.latent is 5, which is no zoo.Latent"),
    NoModule: ({"builds"}, "zoo_build gave str, which is no nn.Module"),
    EncodesNothing: ({"encodes"}, "it gave mean [7, 64], not mean [7, 5], log_variance [7, 5]"),
    RaisesInSample: ({"draws"}, "KeyError: 'color'"),
    Exits: ({"draws"}, "SystemExit: enough"),
    DrawsBytes: ({"draws"}, "zoo_sample gave torch.uint8 [7, 1, 8, 8], not float"),
    DoesNotTrain: ({"trains"}, "ValueError: no optimizer"),
    LearnsNothing: ({"learns"}, "it does not fall"),
    MixesTheBatch: ({"alone"}, "by itself, a picture differs by"),
    NoCard: ({"card"}, "zoo:nothere.md cannot be read"),
    BadPreset: ({"presets"}, "preset digits: model.spread must be at most 1.0, got 7.0"),
    FailsAtOneChoice: ({"choices"}, "model.color = 'none': KeyError: 'none'"),
    CopiesTheSize: ({"graphs"}, "the graph 'sampler' gives 2 outputs and names 1"),
}


@pytest.mark.usefixtures("unimported")
@pytest.mark.parametrize("plugin", WRONG, ids=lambda plugin: plugin.__name__)
def test_a_wrong_plugin_breaks_one_promise_and_crashes_nothing(plugin: type) -> None:
    names, said = WRONG[plugin]
    found = broken(findings(plugin()))
    assert found.keys() == names
    assert said in " ".join(found.values())


class Terminated(Painter):
    @hookimpl
    def zoo_train(self, network, config):
        return Terminating(network, config.training)


class Terminating(Nearer):
    def step(self, batches, update):
        signal.raise_signal(signal.SIGTERM)
        return super().step(batches, update)


@pytest.mark.usefixtures("unimported")
def test_a_signal_ends_the_check() -> None:
    with pytest.raises(Interrupted, match=r"^interrupted: nothing was kept$") as raised:
        findings(Terminated())
    assert raised.value.exit_code == 143


@pytest.mark.usefixtures("unimported")
def test_a_game_of_two_networks_can_be_checked() -> None:
    report = check("game", host=tiny_host(), steps=20, device="cpu")
    assert {finding.name for finding in report.broken} == {"described"}


@pytest.mark.usefixtures("unimported")
def test_a_density_known_in_closed_form_can_be_checked() -> None:
    found = findings(Tiny(), "tiny")
    assert broken(found).keys() == {"described"}
    assert found["scores"].status == "kept"


@pytest.mark.usefixtures("unimported")
def test_the_digits_are_brought_to_the_size_and_channels_asked_for() -> None:
    found = findings(Painter(), config={"data.size": 20, "data.channels": 3, "data.source": "no"})
    assert broken(found) == {}
    assert found["draws"].measured == "torch.float32 [7, 3, 20, 20]"


def test_a_large_picture_has_no_jacobian() -> None:
    report = check("glow", config={**SMALL, "data.size": 40}, steps=5, device="cpu")
    assert report.image == ImageSpec(1, 40, 10, 4)
    assert not report.broken
    (found,) = [finding for finding in report.findings if finding.name == "density"]
    assert found.status == "does not apply"
    assert found.measured.startswith("a picture has 1600 numbers")
