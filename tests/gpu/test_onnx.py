"""Exported graphs on onnxruntime's CUDA provider, beside the network in float64.

The same code runs on the CPU in the ordinary suite; what is marked ``gpu`` needs onnxruntime-gpu.
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
from zoo.data import open_data
from zoo.sampling import latents
from zoo_onnx.runtime import OnnxModel
from zoo_onnx.session import Session

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}

PARITY = 1e-4
"""Most that an output may be off from float64, next to the largest of its kind, or to 1."""

SIZE = 24


@pytest.fixture(autouse=True)
def _onnxruntime_has_the_provider(request: pytest.FixtureRequest) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    wanted = PROVIDERS[request.getfixturevalue("device")]
    if wanted not in onnxruntime.get_available_providers():
        pytest.skip(f"this onnxruntime has no {wanted}: pip install 'genzoo[gpu]'")


def inputs_of(run: zoo.Run, graph: str) -> dict[str, torch.Tensor]:
    latent = run.latent
    given = {"label": torch.arange(SIZE) % latent.classes} if latent.classes else {}
    if graph == "sampler":
        z = latents.draw(SIZE, latent.size, latent.distribution, seed=7)
        warm = torch.tensor(run.spec.temperature)
        return {"z": torch.from_numpy(z), "temperature": warm, **given}
    test = open_data(run.data_config()).splits["test"]
    pixels = np.stack([test[index][0] for index in range(SIZE)])
    return {"image": run.as_images(pixels), **given}


@torch.no_grad()
def in_float64(run: zoo.Run, inputs: Mapping[str, torch.Tensor]) -> dict[str, np.ndarray]:
    model = run.with_network(copy.deepcopy(run.network).cpu().double().eval())
    labels = inputs.get("label")
    if "z" in inputs:
        z, warm = inputs["z"].double(), float(inputs["temperature"])
        return {"image": model.sample_hook(z, warm, labels).numpy()}
    found = model.encode_hook(inputs["image"].double(), labels)
    return {name: tensor.numpy() for name, tensor in found.items()}


def off(got: Mapping[str, np.ndarray], exact: Mapping[str, np.ndarray]) -> float:
    """The largest error of any output, next to its size."""
    assert got.keys() == exact.keys()
    return max(
        float(np.abs(got[name] - exact[name]).max() / max(1.0, np.abs(exact[name]).max()))
        for name in exact
    )


def check(run: zoo.Run, device: str, record: Callable[[str, Any], None]) -> None:
    """Each graph of ``run`` runs on ``device`` and is near float64; on CUDA, what TF32 would make
    of it is recorded."""
    graphs = [path.stem for path in sorted((run.path / "onnx").glob("*.onnx"))]
    assert graphs
    for graph in graphs:
        session = Session(run.path / "onnx" / f"{graph}.onnx", device)
        assert session._session.get_providers()[0] == PROVIDERS[device]
        inputs = inputs_of(run, graph)
        given = {name: tensor.numpy() for name, tensor in inputs.items()}
        exact = in_float64(run, inputs)
        error = off(session.run(given), exact)
        record(f"{graph}, off float64", error)
        if device == "cuda":
            record(f"{graph}, off float64 in TF32", off(in_tf32(session, given), exact))
        assert error <= PARITY, graph


def in_tf32(session: Session, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    import onnxruntime

    providers = [(PROVIDERS["cuda"], {"use_tf32": "1"}), PROVIDERS["cpu"]]
    loose = onnxruntime.InferenceSession(str(session.path), providers=providers)
    assert loose.get_providers()[0] == PROVIDERS["cuda"]
    names = list(session.outputs)
    found = loose.run(names, {name: given[name] for name in session.inputs})
    return dict(zip(names, found, strict=True))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("model", SMALL)
def test_every_graph_is_near_float64(
    model: str,
    device: str,
    exported: Callable[[str], zoo.Run],
    record_property: Callable[[str, Any], None],
) -> None:
    """Every graph runs on the provider that was asked for, within 1e-4 of float64"""
    check(exported(model), device, record_property)


@pytest.mark.gpu
@pytest.mark.parametrize("device", ["cuda"])
def test_a_glow_trained_on_cuda_is_near_float64(
    device: str, tmp_path: Path, record_property: Callable[[str, Any], None]
) -> None:
    """A Glow of 16 steps of flow, trained on CUDA for 300 steps and exported, the same"""
    run = zoo.train("glow", steps=300, out=tmp_path / "run", device=device, quiet=True)
    run.export()
    check(run, device, record_property)


@pytest.mark.parametrize("device", DEVICES)
def test_the_runtime_draws_the_images_of_the_cpu(
    device: str,
    exported: Callable[[str], zoo.Run],
    record_property: Callable[[str, Any], None],
) -> None:
    """OnnxModel generates the images of a seed as on the CPU, for any number of images"""
    folder = exported("glow").path
    model = OnnxModel.load(folder, device)
    assert model.device == device
    few, many = model.sample(5, seed=3), model.sample(300, seed=3)
    apart = float(np.abs(many - OnnxModel.load(folder, "cpu").sample(300, seed=3)).max())
    record_property("largest difference from the CPU", apart)
    assert np.abs(many[:5] - few).max() <= PARITY
    assert apart <= PARITY
