"""Exported graphs of every model: equal to the network, clean, and refused above a tolerance."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from exported import SMALL
from project import ROOT
from sealed import write_config

import zoo
from zoo import Latent, ModelConfig, ModelSpec, hookimpl, hookspecs
from zoo.errors import ZooError
from zoo.model import Model
from zoo.objectives import Objective
from zoo.plugins.formats import formats
from zoo.plugins.host import Host, Plugin
from zoo.run import Run, run_of
from zoo.runs.folder import RunFolder
from zoo.sampling import latents

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from zoo_onnx import parity  # noqa: E402
from zoo_onnx.export import export  # noqa: E402

FLOWS = ("glow", "nice", "realnvp")
RANDOM = {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli"}
FORBIDDEN = RANDOM | {"Det", "If", "Loop", "Scan", "Multinomial"}


def opened(path: Path) -> Any:
    """A session as an application opens it."""
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def feeds(run: Run, size: int, seed: int = 5) -> dict[str, Any]:
    z = latents.draw(size, run.latent.size, run.latent.distribution, seed)
    inputs: dict[str, Any] = {"z": z, "temperature": np.array(run.spec.temperature, np.float32)}
    if run.latent.classes:
        inputs["label"] = np.arange(size) % run.latent.classes
    return inputs


def test_a_format_has_a_folder_of_its_name(exported) -> None:
    run = exported("glow")
    for name in formats(run.host):
        assert any((run.path / name).iterdir())


@pytest.mark.parametrize("model", SMALL)
def test_the_sampler_equals_the_run_at_any_batch_size(exported, model: str) -> None:
    run = exported(model)
    session = opened(run.path / "onnx" / "sampler.onnx")
    shapes = {value.name: value.shape for value in session.get_inputs()}
    classes = {"label": ["batch"]} if run.latent.classes else {}
    assert shapes == {"z": ["batch", run.latent.size], "temperature": [], **classes}
    assert [(value.name, value.shape) for value in session.get_outputs()] == [
        ("image", ["batch", 1, 8, 8])
    ]
    for size in (1, 3, 64):
        (image,) = session.run(None, feeds(run, size))
        expected = run.sample(size, seed=5).numpy()
        assert image.dtype == np.float32
        assert np.abs(image - expected).max() < 1e-4
    assert expected.std() > 1e-3


@pytest.mark.parametrize("model", [*FLOWS, "vae"])
def test_the_encoder_equals_the_run_on_real_images(exported, model: str) -> None:
    run = exported(model)
    images = run.as_images(zoo_digits(20))
    labels = torch.arange(20) % 10 if run.latent.classes else None
    inputs = {"image": images.numpy()} | ({} if labels is None else {"label": labels.numpy()})
    session = opened(run.path / "onnx" / "encoder.onnx")
    encoding = dict(
        zip([o.name for o in session.get_outputs()], session.run(None, inputs), strict=True)
    )
    if model == "vae":
        assert set(encoding) == {"mean", "log_variance"}
        assert np.abs(encoding["mean"] - run.encode(images).numpy()).max() < 1e-4
        return
    assert set(encoding) == {"z", "log_prob"}
    expected = run.log_prob(images, labels=labels).numpy()
    assert encoding["log_prob"].shape == (20,)
    assert np.abs(encoding["log_prob"] - expected).max() < 1e-3 * 64
    sampler = opened(run.path / "onnx" / "sampler.onnx")
    back = {"z": encoding["z"], "temperature": np.array(1, np.float32)}
    (again,) = sampler.run(None, back | ({} if labels is None else {"label": labels.numpy()}))
    assert np.abs(again - images.numpy()).max() < 1e-3


def zoo_digits(count: int) -> Any:
    from zoo.config.sections import DataConfig
    from zoo.data import open_data

    split = open_data(DataConfig(source="digits")).splits["test"]
    return np.stack([split[i][0] for i in range(count)])


@pytest.mark.parametrize("model", SMALL)
def test_a_file_is_self_contained_clean_and_described(exported, model: str) -> None:
    run = exported(model)
    encodes = "encode" in run.spec.capabilities
    names = ["sampler", "encoder"] if encodes else ["sampler"]
    files = {f"{name}.{end}" for name in names for end in ("onnx", "json")}
    assert {path.name for path in (run.path / "onnx").iterdir()} == files
    for name in names:
        path = run.path / "onnx" / f"{name}.onnx"
        data, proto = path.read_bytes(), onnx.load(path)
        onnx.checker.check_model(proto, full_check=True)
        for place in (ROOT, Path(sys.prefix), Path.home(), run.path.parent):
            assert str(place).encode() not in data
        assert b"site-packages" not in data
        assert b".py" not in data
        assert not FORBIDDEN & {node.op_type for node in proto.graph.node}
        assert {opset.domain: opset.version for opset in proto.opset_import}[""] == 20
        metadata = {entry.key: entry.value for entry in proto.metadata_props}
        report = json.loads(path.with_suffix(".json").read_text("utf-8"))
        assert metadata["model"] == report["model"] == model
        assert metadata["graph"] == name
        assert json.loads(metadata["latent_size"]) == run.latent.size
        assert metadata["latent_distribution"] == run.latent.distribution
        assert json.loads(metadata["image_shape"]) == [1, 8, 8]
        assert metadata["data"] == "digits"
        assert metadata["data_licence"] == report["data_licence"] == "CC BY 4.0"
        largest = {
            key: output["max_abs_error_float64"] for key, output in report["outputs"].items()
        }
        assert json.loads(metadata["parity_max_abs_error"]) == largest
        batches = report["outputs"][next(iter(largest))]["batches"]
        assert [*batches] == ["1", "3", "64"]
        assert all(batch["torch_float32_from_float64"] >= 0 for batch in batches.values())
        assert report["bytes"] == path.stat().st_size
        if name == "sampler":
            assert largest["image"] < 1e-4
        elif model in FLOWS:
            assert report["round_trip"]["max_abs_error"] < 1e-3
            assert report["inputs"]["image"] == (
                "64 of the 90 images of the test split of digits, evenly spread"
            )


def test_a_step_of_glow_has_three_convolutions_and_a_folded_one(exported) -> None:
    """The rest is elementwise or moves values: nothing depends on how the weights were stored."""
    run = exported("glow")
    steps, splits = 2 * 2, 1
    elementwise = {"Add", "Sub", "Mul", "Div", "Neg", "Exp", "Tanh", "Relu", "Clip", "Min", "Max"}
    moving = {"Concat", "Split", "Slice", "Pad", "Reshape", "DepthToSpace", "Gather", "Unsqueeze"}
    for name in ("sampler", "encoder"):
        graph = onnx.load(run.path / "onnx" / f"{name}.onnx").graph
        nodes, constants = graph.node, {tensor.name for tensor in graph.initializer}
        count = Counter(node.op_type for node in nodes)
        assert count["Conv"] == 4 * steps + splits
        assert count["Relu"] == 2 * steps
        likelihood = {"ReduceSum", "Pow", "Transpose", "Cast", "Squeeze"}
        likelihood |= {"ConstantOfShape", "Shape", "Expand"}  # a value per image
        allowed = elementwise | moving | {"Conv"} | (likelihood if name == "encoder" else set())
        assert set(count) <= allowed
        assert not [node.op_type for node in nodes if node.input and set(node.input) <= constants]


@pytest.mark.parametrize("kernel", [3, 5])
def test_convolutions_of_the_reference_equal_torchs(kernel: int) -> None:
    from zoo_onnx import float64

    layer = torch.nn.Conv2d(kernel**2 * 2, 2, kernel, padding=kernel // 2).double()
    x, calls = torch.randn(3, kernel**2 * 2, 7, 6, dtype=torch.float64), []
    torch.testing.assert_close(float64.conv_by_taps(x, layer.weight, layer.bias), layer(x))
    with pytest.MonkeyPatch.context() as patch, float64.FastConvolutions():
        patch.setattr(float64, "conv_by_taps", lambda *arguments: calls.append(arguments) or x)
        assert layer(x) is x
        strided = torch.nn.Conv2d(kernel**2 * 2, 2, kernel, stride=2, padding=kernel // 2)
        assert strided.double()(x).shape == (3, 2, 4, 3)
        assert layer.float()(x.float()).shape == (3, 2, 7, 6)
    assert len(calls) == 1


def test_the_file_states_the_license_of_the_data_in_config_json(exported, tmp_path: Path) -> None:
    path = Path(shutil.copytree(exported("dcgan").path, tmp_path / "run"))
    config = json.loads((path / "config.json").read_text("utf-8"))
    for stated in ("CC0-1.0", None):
        config["summary"]["data_license"] = stated
        write_config(path, config)
        (exported_graph,) = export(zoo.load(path, "cpu"))
        stored = {item.key: item.value for item in onnx.load(exported_graph.path).metadata_props}
        assert stored.get("data_licence") == exported_graph.report.get("data_licence") == stated


# The command


def test_the_command_writes_one_graph_into_a_folder(exported, commands, tmp_path: Path) -> None:
    run, out = exported("vae"), tmp_path / "graphs"
    result = commands("export", run.path, "--graph", "encoder", "--opset", 18, "-o", out, "--json")
    assert result.status == 0
    (report,) = json.loads(result.out)
    assert report["opset"] == 18
    assert {path.name for path in out.iterdir()} == {"encoder.onnx", "encoder.json"}
    imported = onnx.load(out / "encoder.onnx").opset_import
    assert {opset.domain: opset.version for opset in imported}[""] == 18


@pytest.mark.parametrize("model", ["dcgan", "vae"])
def test_half_precision_of_models_without_a_flow(
    exported, commands, tmp_path: Path, model: str
) -> None:
    run = exported(model)
    arguments = ("--graph", "sampler", "--precision", "fp16", "-o", tmp_path)
    assert commands("export", run.path, *arguments).status == 0
    half, single = tmp_path / "sampler_fp16.onnx", run.path / "onnx" / "sampler.onnx"
    assert half.stat().st_size < 0.8 * single.stat().st_size
    session = opened(half)
    assert {value.type for value in session.get_inputs()} == {"tensor(float)"}
    (image,) = session.run(None, feeds(run, 5))
    assert image.dtype == np.float32
    assert np.abs(image - run.sample(5, seed=5).numpy()).max() < 1e-2
    report = json.loads((tmp_path / "sampler_fp16.json").read_text("utf-8"))
    assert 0 < report["outputs"]["image"]["max_abs_error_float64"] < 1e-2


def test_wrong_arguments_are_refused(exported, commands, tmp_path: Path) -> None:
    glow, dcgan = exported("glow").path, exported("dcgan").path
    assert "a flow" in commands.fails(2, "export", glow, "--precision", "fp16")
    assert "it has sampler" in commands.fails(2, "export", dcgan, "--graph", "encoder")
    assert "run folder" in commands.fails(2, "export", tmp_path / "none")
    (tmp_path / "file").write_text("mine")
    assert "is a file" in commands.fails(2, "export", dcgan, "-o", tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_without_onnxruntime_the_error_names_the_extra(
    exported, commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = exported("dcgan").path
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert 'pip install "genzoo[cpu]"' in commands.fails(1, "export", path)


def test_above_the_tolerance_an_earlier_export_stays(
    exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(shutil.copytree(exported("dcgan").path, tmp_path / "run"))
    before = {file.name: file.read_bytes() for file in (path / "onnx").iterdir()}
    monkeypatch.setattr(parity, "IMAGE", 1e-12)
    with pytest.raises(ZooError, match=r"sampler: image differs by .* of batch size 1, .*1e-12"):
        export(zoo.load(path, "cpu"))
    assert {file.name: file.read_bytes() for file in (path / "onnx").iterdir()} == before


@pytest.mark.parametrize("model", [*FLOWS, "vae"])
def test_the_batch_is_known_in_the_whole_graph(exported, model: str) -> None:
    """Otherwise onnxruntime allocates memory for each value, and takes long to plan that."""
    for path in (exported(model).path / "onnx").glob("*.onnx"):
        inferred = onnx.shape_inference.infer_shapes(onnx.load(path), data_prop=True)
        shapes = {
            value.name: value.type.tensor_type.shape.dim for value in inferred.graph.value_info
        }
        images = {name: shape for name, shape in shapes.items() if len(shape) == 4}
        assert {name for name, shape in images.items() if not known(shape[0])} == set()
        assert any(shape[0].dim_param == "batch" for shape in images.values()) or model == "vae"


def known(dimension: Any) -> bool:
    return dimension.HasField("dim_value") or dimension.dim_param == "batch"


# A third party's plugin


class Gray(torch.nn.Module):
    """Images of a single gray; ``weight`` is the trainable parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(0.5))
        self.latent = Latent(3)


class Required:
    """The required hooks alone."""

    def __init__(self, level: Any = None) -> None:
        self.level = level or (lambda network, z: z.mean(1) * network.weight)

    @hookimpl
    def zoo_models(self):
        return [
            ModelSpec(
                name="gray",
                family="test",
                title="Gray",
                paper="-",
                config=ModelConfig,
                presets={"digits": {}},
            )
        ]

    @hookimpl
    def zoo_build(self):
        return Gray()

    @hookimpl
    def zoo_train(self) -> Objective:
        raise NotImplementedError

    @hookimpl
    def zoo_sample(self, network, latents, temperature):
        gray = self.level(network, latents) * temperature + 0.5
        return gray[:, None, None, None].expand(-1, 1, 8, 8).clamp(0, 1)


@pytest.fixture
def gray(exported, tmp_path: Path) -> Any:
    """``gray(plugin)``: a run of a plugin."""
    like = exported("dcgan")

    def make(plugin: Required) -> Run:
        host = Host(hookspecs)
        assert host.add(Plugin("gray", "tests", "0"), plugin).cause is None
        model = Model(
            host.spec("gray"), like.image_spec, Gray(), torch.device("cpu"), host.owner("gray")
        )
        return run_of(model, RunFolder(tmp_path), like.config, host)

    return make


def test_a_plugin_with_the_required_hooks_alone_gets_a_sampler(gray, tmp_path: Path) -> None:
    (exported_graph,) = export(gray(Required()))
    assert exported_graph.path == tmp_path / "onnx" / "sampler.onnx"
    z = np.float32([[0.1, 0.2, 0.3], [1, 1, 1]])
    inputs = {"z": z, "temperature": np.array(0.5, np.float32)}
    (image,) = opened(exported_graph.path).run(None, inputs)
    assert image[:, 0, 0, 0] == pytest.approx([0.55, 0.75])


WRONG = {
    "a frozen batch size": (lambda network, z: z.mean(1) * len(z), "has a fixed batch size"),
    "random numbers": (lambda network, z: torch.randn_like(z).mean(1), "generates random numbers"),
    "matrices that ONNX cannot invert": (
        lambda network, z: torch.linalg.inv(torch.eye(3) + z[:1].T @ z[:1]).sum() + z.mean(1),
        "cannot be converted to ONNX",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_graph_that_cannot_be_exported_is_refused(gray, tmp_path: Path, name: str) -> None:
    level, message = WRONG[name]
    with pytest.raises(ZooError, match=message):
        export(gray(Required(level)))
    assert not list(tmp_path.rglob("*.onnx"))
    assert not list(tmp_path.rglob("*.part"))


def test_help_imports_neither_torch_nor_onnx() -> None:
    code = (
        "import sys\nfrom zoo.cli import main\nmain(['export', '-h'])\n"
        "sys.exit(bool({'torch', 'onnx', 'onnxscript', 'onnxruntime'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--precision" in done.stdout
