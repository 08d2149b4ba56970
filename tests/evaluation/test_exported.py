"""``zoo evaluate --backend onnx``: the exported graphs give the metrics of the network."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import zoo
from zoo.errors import UsageError, ZooError
from zoo.evaluation.exported import Exported
from zoo.evaluation.metrics import read_evaluation

BY = ", by the exported graphs (onnx)"
TOLERANCE = {"bits_per_dim": 1e-4, "nats": 1e-2, "fid_cnn": 1e-2, "kid_cnn": 1e-3}
"""Of the values; precision and recall count samples, which may cross a border."""


@pytest.mark.parametrize("model", ["glow", "vae"])
def test_graphs_give_the_metrics_of_the_network(
    model: str, exported: Callable[[str], zoo.Run]
) -> None:
    run = exported(model)
    network = run.evaluate(images=40, seed=3)
    graphs = run.evaluate(images=40, seed=3, backend="onnx")
    names = [metric.name for metric in graphs]
    assert names == [metric.name for metric in network if metric.name in names]
    assert ("bits_per_dim" in graphs) == (model == "glow")
    for metric in graphs:
        other = network[metric.name]
        assert metric.value == pytest.approx(other.value, abs=TOLERANCE.get(metric.name, 0.06))
        assert (metric.protocol.backend, other.protocol.backend) == ("onnx", None)
        assert str(metric.protocol) == str(other.protocol) + BY


def test_the_noise_and_the_latents_are_those_of_the_network(
    exported: Callable[[str], zoo.Run],
) -> None:
    from zoo_onnx import OnnxModel

    run = exported("glow")
    unused = copy.deepcopy(run.network)
    for parameter in unused.parameters():
        parameter.data.fill_(torch.nan)
    exports = OnnxModel.load(run.path, "cpu")
    graphs = Exported.of(run.with_network(unused), exports, "onnx")
    labels = [3, 0, 9]
    images = run.sample(3, seed=1, temperature=1.0, labels=labels)
    assert torch.allclose(
        graphs.sample(3, seed=1, temperature=1.0, labels=labels), images, atol=1e-4
    )
    bits = [each.bits_per_dim(images, labels=labels, seed=5) for each in (run, graphs)]
    assert torch.allclose(*bits, atol=1e-4)
    border = torch.stack([torch.zeros(1, 8, 8), torch.ones(1, 8, 8)])
    bits = [each.bits_per_dim(border, labels=3, seed=5) for each in (run, graphs)]
    assert torch.allclose(*bits, atol=1e-4), "noise outside of the bins' centers is not clamped"


def test_the_command_stores_what_the_graphs_give(
    exported: Callable[[str], zoo.Run], tmp_path: Path, commands
) -> None:
    run = Path(shutil.copytree(exported("vae").path, tmp_path / "run"))
    arguments = ("evaluate", run, "-n", 30, "--device", "cpu")
    result = commands(*arguments, "--backend", "onnx")
    assert result.status == 0
    assert result.err.splitlines()[-1] == (
        "not counted: bits/dim, nats per image, for the graphs of vae have no log-density"
    )
    stored = read_evaluation(run)
    assert stored is not None
    assert {metric.protocol.backend for metric in stored} == {"onnx"}
    assert BY in (run / "README.md").read_text()
    again = json.loads(commands(*arguments, "--metric", "nats", "--json").out)["metrics"]
    assert [metric["protocol"].get("backend") for metric in again][:2] == [None, "onnx"]


def test_what_graphs_cannot_give_is_refused(
    exported: Callable[[str], zoo.Run], trained: zoo.Run, tmp_path: Path, commands
) -> None:
    run = exported("vae").path
    refused = "the graphs of vae have no log-density, so they give no bits/dim"
    onnx = ("--backend", "onnx")
    assert commands.fails(2, "evaluate", run, *onnx, "--metric", "bits_per_dim") == refused
    with pytest.raises(UsageError, match=refused):
        exported("vae").evaluate(metrics=["bits_per_dim"], backend="onnx")
    assert commands.fails(2, "evaluate", run, "--backend", "onx") == (
        "there is no format 'onx': did you mean 'onnx'?"
    )
    message = commands.fails(2, "evaluate", trained.path, *onnx)
    assert message == f"{trained.path} has no graphs yet: zoo export {trained.path} writes them"
    other = Path(shutil.copytree(trained.path, tmp_path / "other"))
    shutil.copytree(exported("glow").path / "onnx", other / "onnx")
    assert "have other weights than model.safetensors" in commands.fails(
        1, "evaluate", other, *onnx
    )


def test_a_format_that_only_samples_is_refused(trained: zoo.Run) -> None:
    with pytest.raises(ZooError, match="the format stone cannot be evaluated"):
        Exported.of(trained, object(), "stone")  # type: ignore[arg-type]
