"""The conformance kit on plugins that are right, and on some that are wrong in one way each."""

from __future__ import annotations

import signal

import pytest
import torch
from painter import Paint, Painter, SquaredError, broken, findings
from tiny import Tiny, tiny_host
from torch import nn

from zoo import Graph, ImageSpec, hookimpl, hookspecs
from zoo.errors import Interrupted
from zoo.plugins.host import Host, Plugin
from zoo.testing import assert_conforms, check


@pytest.fixture
def unimportable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the plugins look as if defined interactively: importing this module in a new process
    would import torch."""
    monkeypatch.setattr("zoo.testing.importing.find_spec", lambda name: None)


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
    assert "test_check_plugins.py, line " in results["builds"].measured
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
