"""Exported graphs on onnxruntime's CUDA provider, compared with the network in float64.

The same tests run on the CPU by default; those marked ``gpu`` need onnxruntime-gpu.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from exported import SMALL

import zoo
from zoo.sampling import latents
from zoo_onnx.runtime import OnnxModel
from zoo_onnx.session import Session

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}

PARITY = 1e-4
"""Maximum error against float64, relative to the largest absolute value, or to 1."""

SIZE = 24


@pytest.fixture(autouse=True)
def _onnxruntime_has_the_provider(request: pytest.FixtureRequest) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    provider = PROVIDERS[request.getfixturevalue("device")]
    if provider not in onnxruntime.get_available_providers():
        pytest.skip(f"this onnxruntime has no {provider}: pip install 'genzoo[gpu]'")


def inputs_of(run: zoo.Run, graph: str) -> dict[str, torch.Tensor]:
    latent = run.latent
    label = {"label": torch.arange(SIZE) % latent.classes} if latent.classes else {}
    if graph == "sampler":
        z = latents.draw(SIZE, latent.size, latent.distribution, seed=7)
        temperature = torch.tensor(run.spec.temperature)
        return {"z": torch.from_numpy(z), "temperature": temperature, **label}
    test = run.open_data().splits["test"]
    pixels = np.stack([test[index][0] for index in range(SIZE)])
    return {"image": run.as_images(pixels), **label}


@torch.no_grad()
def in_float64(run: zoo.Run, inputs: Mapping[str, torch.Tensor]) -> dict[str, np.ndarray]:
    model = run.with_network(copy.deepcopy(run.network).cpu().double().eval())
    labels = inputs.get("label")
    if "z" in inputs:
        z, temperature = inputs["z"].double(), float(inputs["temperature"])
        return {"image": model.sample_hook(z, temperature, labels).numpy()}
    outputs = model.encode_hook(inputs["image"].double(), labels)
    return {name: tensor.numpy() for name, tensor in outputs.items()}


def relative_error(got: Mapping[str, np.ndarray], exact: Mapping[str, np.ndarray]) -> float:
    """Returns the largest error of any output, relative to its largest absolute value or to 1."""
    assert got.keys() == exact.keys()
    return max(
        float(np.abs(got[name] - exact[name]).max() / max(1.0, np.abs(exact[name]).max()))
        for name in exact
    )


def check(run: zoo.Run, device: str, record: Callable[[str, Any], None]) -> None:
    """Runs each graph of ``run`` on ``device`` and compares it with float64. On CUDA, also records
    the error with TF32."""
    graphs = [path.stem for path in sorted((run.path / "onnx").glob("*.onnx"))]
    assert graphs
    for graph in graphs:
        session = Session(run.path / "onnx" / f"{graph}.onnx", device)
        assert session._session.get_providers()[0] == PROVIDERS[device]
        inputs = inputs_of(run, graph)
        feeds = {name: tensor.numpy() for name, tensor in inputs.items()}
        exact = in_float64(run, inputs)
        error = relative_error(session.run(feeds), exact)
        record(f"{graph}, error against float64", error)
        if device == "cuda":
            record(
                f"{graph}, error against float64 with TF32",
                relative_error(in_tf32(session, feeds), exact),
            )
        assert error <= PARITY, graph


def in_tf32(session: Session, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    import onnxruntime

    providers = [(PROVIDERS["cuda"], {"use_tf32": "1"}), PROVIDERS["cpu"]]
    tf32_session = onnxruntime.InferenceSession(str(session.path), providers=providers)
    assert tf32_session.get_providers()[0] == PROVIDERS["cuda"]
    names = list(session.outputs)
    outputs = tf32_session.run(names, {name: feeds[name] for name in session.inputs})
    return dict(zip(names, outputs, strict=True))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("model", SMALL)
def test_every_graph_agrees_with_float64(
    model: str,
    device: str,
    exported: Callable[[str], zoo.Run],
    record_property: Callable[[str, Any], None],
) -> None:
    """Every graph runs on the requested provider, within 1e-4 of float64"""
    check(exported(model), device, record_property)


@pytest.mark.gpu
@pytest.mark.parametrize("device", ["cuda"])
def test_a_glow_trained_on_cuda_agrees_with_float64(
    device: str, tmp_path: Path, record_property: Callable[[str, Any], None]
) -> None:
    """Exported graphs of a Glow trained on CUDA for 300 steps are within 1e-4 of float64"""
    run = zoo.train("glow", steps=300, out=tmp_path / "run", device=device, quiet=True)
    run.export()
    check(run, device, record_property)


@pytest.mark.parametrize("device", DEVICES)
def test_the_runtime_generates_the_same_images_as_on_the_cpu(
    device: str,
    exported: Callable[[str], zoo.Run],
    record_property: Callable[[str, Any], None],
) -> None:
    """OnnxModel generates the same images of a seed as on the CPU, for any number of images"""
    folder = exported("glow").path
    model = OnnxModel.load(folder, device)
    assert model.device == device
    few, many = model.sample(5, seed=3), model.sample(300, seed=3)
    difference = float(np.abs(many - OnnxModel.load(folder, "cpu").sample(300, seed=3)).max())
    record_property("largest difference from the CPU", difference)
    assert np.abs(many[:5] - few).max() <= PARITY
    assert difference <= PARITY
