"""``OnnxModel``: images from a run's files, without torch, in several threads at once."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from exported import SMALL

import zoo
from zoo.errors import UsageError, ZooError
from zoo.sampling.labels import choose

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from zoo_onnx import OnnxModel, session

PARITY = 1e-4


@pytest.mark.parametrize("model", SMALL)
def test_a_seed_gives_the_images_of_the_run(exported, model: str) -> None:
    run = exported(model)
    onnx_model = OnnxModel.load(run.path)
    images, expected = onnx_model.sample(70, seed=3), run.sample(70, seed=3).numpy()
    assert images.dtype == np.float32
    assert np.abs(images - expected).max() < PARITY
    assert np.abs(onnx_model.sample(3, seed=3) - images[:3]).max() < PARITY
    colder = onnx_model.sample(3, temperature=0.3, seed=3)
    assert np.abs(colder - run.sample(3, temperature=0.3, seed=3).numpy()).max() < PARITY
    assert np.abs(colder - images[:3]).max() > 10 * PARITY
    path = onnx_model.interpolate(2, 5, seed=4)
    assert np.abs(path - run.interpolate(2, 5, seed=4).numpy()).max() < PARITY
    assert onnx_model.latent == run.latent
    assert onnx_model.metadata.model == model
    assert onnx_model.device == "cpu"


def test_images_do_not_depend_on_the_batch_size(exported, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = OnnxModel.load(exported("glow").path)
    expected, sizes = whole.sample(11, seed=1), []
    run = session.Session.run
    monkeypatch.setattr(session, "MAX_PIXELS", 4 * 64)
    monkeypatch.setattr(
        session.Session, "run", lambda self, i: sizes.append(len(i["z"])) or run(self, i)
    )
    some = OnnxModel.load(exported("glow").path)
    assert np.abs(some.sample(11, seed=1) - expected).max() < 1e-6
    assert sizes == [4, 4, 3]


def test_a_flow_and_a_vae_encode(exported) -> None:
    glow, vae = exported("glow"), exported("vae")
    labels = [1, 2, 3]
    images = glow.sample(3, seed=2, labels=labels)
    model = OnnxModel.load(glow.path)
    z = model.encode(images.numpy(), labels=labels)
    assert np.abs(z - glow.encode(images, labels=labels).numpy()).max() < 1e-3
    assert np.abs(model.decode(z, labels=labels) - images.numpy()).max() < 1e-3
    expected = glow.log_prob(images, labels=labels).numpy()
    assert model.log_prob(images.numpy().astype(np.float64), labels=labels) == pytest.approx(
        expected, abs=1e-3 * 64
    )
    other = OnnxModel.load(vae.path)
    images = vae.sample(3, seed=2)
    assert set(other.encodings(images.numpy())) == {"mean", "log_variance"}
    assert np.abs(other.encode(images.numpy()) - vae.encode(images).numpy()).max() < PARITY
    with pytest.raises(UsageError, match="vae has no exact likelihood"):
        other.log_prob(images.numpy())
    assert other.encode(images.numpy()[:0]).shape == (0, vae.latent.size)


def test_labels_choose_the_class(exported) -> None:
    run = exported("glow")
    model = OnnxModel.load(run.path)
    seven = model.sample(4, seed=5, labels=7)
    assert np.abs(seven - run.sample(4, seed=5, labels=7).numpy()).max() < PARITY
    assert np.abs(seven - model.sample(4, seed=5, labels=[1, 2, 3, 4])).max() > 1e-6
    for sample in (model.sample, run.sample):
        with pytest.raises(UsageError, match=r"there is no class 12 among 0, 1, 2, 3, .*, 9$"):
            sample(2, labels=[3, 12])
        with pytest.raises(UsageError, match="one class, or one for each of 3, got 2"):
            sample(3, labels=[3, 1])


def test_labels_default_to_the_classes_in_turn() -> None:
    assert choose(3, None, 0, "m") is None
    turns = choose(5, None, 2, "m")
    assert turns is not None
    assert turns.tolist() == [0, 1, 0, 1, 0]
    same = choose(2, 4, 9, "m")
    assert same is not None
    assert same.tolist() == [4, 4]
    with pytest.raises(UsageError, match="this m is unconditional"):
        choose(2, 4, 0, "m")


def test_threads_share_a_model(exported) -> None:
    model = OnnxModel(exported("vae").path / "onnx")  # one of the threads opens its graph
    expected = OnnxModel.load(exported("vae").path)
    with ThreadPoolExecutor(8) as pool:
        batches = list(pool.map(lambda seed: model.sample(9, seed=seed), range(24)))
    for seed, images in enumerate(batches):
        assert np.array_equal(images, expected.sample(9, seed=seed))


def test_sampling_imports_no_torch(exported, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom zoo_onnx import OnnxModel\n"
        "model = OnnxModel.load(sys.argv[1])\n"
        "images = model.sample(2)\nmodel.encode(images)\nmodel.interpolate(1, 2)\n"
        "from zoo.cli import main\n"
        "assert main(['sample', sys.argv[1], '--backend', 'onnx', '-o', sys.argv[2]]) == 0\n"
        "sys.exit(bool({'torch', 'onnxscript', 'datasets'} & set(sys.modules)))"
    )
    arguments = [sys.executable, "-c", code, str(exported("vae").path), str(tmp_path / "a.png")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.png").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_missing_cuda_is_an_error(exported, commands) -> None:
    path = exported("vae").path
    with pytest.raises(ZooError, match="CUDA"):
        OnnxModel.load(path, "cuda")
    message = commands.fails(1, "sample", path, "--backend", "onnx", "--device", "cuda")
    assert "use the CPU" in message
    with pytest.raises(UsageError, match="no provider 'tpu': use auto, cuda or cpu"):
        OnnxModel.load(path, "tpu")  # type: ignore[arg-type]


def test_a_file_that_genzoo_did_not_write_is_refused(exported, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no .*sampler.onnx: zoo export"):
        OnnxModel.load(tmp_path)
    (tmp_path / "sampler.onnx").write_bytes(b"nothing")
    with pytest.raises(ZooError, match=r"sampler.onnx is not an ONNX file"):
        OnnxModel.load(tmp_path)
    graphs = exported("vae").path / "onnx"
    shutil.copy(graphs / "encoder.onnx", tmp_path / "sampler.onnx")
    with pytest.raises(ZooError, match="is not a genzoo sampler"):
        OnnxModel.load(tmp_path)
    with pytest.raises(UsageError, match="unknown precision 'int8'"):
        OnnxModel.load(graphs, precision="int8")
    with pytest.raises(UsageError, match=r"float \[N, 1, 8, 8\] in \[0, 1\], got uint8"):
        OnnxModel.load(graphs).encode(np.zeros((2, 1, 8, 8), np.uint8))
    with pytest.raises(UsageError, match=r"latents are float \[N, \d+\], got \[2, 3\]"):
        OnnxModel.load(graphs).decode(np.zeros((2, 3)))


def test_half_precision_opens_its_own_file(exported, tmp_path: Path) -> None:
    run = exported("dcgan")
    run.export(graph="sampler", precision="fp16", out=tmp_path)
    half = OnnxModel.load(tmp_path, precision="fp16")
    assert half.metadata.precision == "fp16"
    assert 0 < np.abs(half.sample(3) - run.sample(3).numpy()).max() < 1e-2


# Behind the command and the run


def test_the_onnx_backend_gives_the_same_images(
    exported, commands, here, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, calls = exported("glow"), []
    original = session.Session.run
    monkeypatch.setattr(
        session.Session, "run", lambda self, i: calls.append(backend) or original(self, i)
    )
    for arguments in (["-n", 5, "--seed", 2, "--label", 3], ["-n", 6, "--interpolate"]):
        results = []
        for backend in ("torch", "onnx"):
            out = here / f"{backend}.npy"
            result = commands("sample", run.path, *arguments, "--backend", backend, "-o", out)
            assert result.status == 0, result
            results.append(np.load(out))
        assert results[0].shape == results[1].shape
        assert np.abs(results[0] - results[1]).max() < PARITY
    assert set(calls) == {"onnx"}


def test_graphs_of_other_weights_are_refused(exported, commands, tmp_path: Path) -> None:
    path = Path(shutil.copytree(exported("vae").path, tmp_path / "run"))
    weights = path / "model.safetensors"
    weights.write_bytes(weights.read_bytes() + b" ")
    message = commands.fails(1, "sample", path, "--backend", "onnx", "-o", tmp_path / "a.png")
    assert "have other weights" in message
    shutil.rmtree(path / "onnx")
    assert "has no graphs yet: zoo export" in commands.fails(2, "sample", path, "--backend", "onnx")
    assert "no format 'onx': did you mean 'onnx'" in commands.fails(
        2, "sample", path, "--backend", "onx"
    )


def test_a_run_exports_itself(exported, tmp_path: Path) -> None:
    run = exported("vae")
    (exported_graph,) = run.export("onnx", graph="encoder", opset=18, out=tmp_path)
    assert exported_graph.path == tmp_path / "encoder.onnx"
    assert exported_graph.report["opset"] == 18
    assert json.loads((tmp_path / "encoder.json").read_text("utf-8")) == exported_graph.report
    metadata = {entry.key: entry.value for entry in onnx.load(exported_graph.path).metadata_props}
    assert len(metadata["weights_sha256"]) == 64
    with pytest.raises(UsageError, match="no format 'onx'"):
        run.export("onx")


def test_without_onnxruntime_the_error_names_the_extra(
    exported, commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = exported("vae")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ZooError, match="pip install"):
        run.export()
    message = commands.fails(1, "sample", run.path, "--backend", "onnx")
    assert 'pip install "genzoo[cpu]"' in message
    assert zoo.load(run.path).sample(1).shape == (1, 1, 8, 8)
