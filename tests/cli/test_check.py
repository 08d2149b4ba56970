"""``zoo check`` and the conformance kit: output, and plugins that are wrong in many ways."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch
from contract import PROMISES

import zoo
from zoo import ImageSpec
from zoo.api import host as installed_host
from zoo.export.graphs import graphs_of, trace
from zoo.model import Model

SMALL = {"depth": 2, "width": 16}
FLAGS = ("--set", "depth=1", "--set", "width=16", "--steps", "20", "--device", "cpu")


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
