"""``zoo bench``: throughput of a sampler, and figures that agree with each other."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bench_runs import QUICK, TWO
from exported import SMALL
from PIL import Image

from zoo import Latent, ModelConfig, ModelSpec, hookimpl, hookspecs
from zoo.export import graphs
from zoo.freezing import freeze
from zoo.model import Model
from zoo.plugins.host import Host, Plugin
from zoo.run import Run, run_of
from zoo.runs.folder import RunFolder
from zoo.system.onnx_files.file import OnnxFile
from zoo.system.onnx_files.interface import Interface
from zoo.system.onnx_files.work import multiply_adds

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from zoo_onnx.bench import backends, limit, measure, speed  # noqa: E402

pytest_plugins = ["bench_runs"]
pytestmark = pytest.mark.usefixtures("small_matrices")


# The figures


def test_json_has_every_figure_and_they_agree(dcgan: Run, commands) -> None:
    result = commands("bench", dcgan.path, *QUICK, *TWO, "--json")
    assert (result.status, result.err) == (0, "")
    results = json.loads(result.out)
    assert results["model"] == "dcgan"
    assert results["parameters"] == sum(
        parameter.numel() for parameter in dcgan.network.parameters()
    )
    assert results["versions"]["onnxruntime"] == onnxruntime.__version__
    assert results["hardware"]["threads"] == torch.get_num_threads()
    assert results["plot"] is None
    rate = results["matrix_rate"]
    assert rate["size"] in limit.SIZES
    assert rate["by"] in ("torch", "onnxruntime")
    reachable = rate["operations_per_second"] / (2 * results["multiply_adds"])
    assert results["limit_images_per_second"] == pytest.approx(reachable)
    rows = [(row["backend"], row["batch_size"]) for row in results["speeds"]]
    assert rows == [("torch", 1), ("onnx", 1), ("torch", 2), ("onnx", 2)]
    for row in results["speeds"]:
        ms = row["latency_ms"]
        assert row["images_per_second"] * ms["median"] / 1000 == pytest.approx(row["batch_size"])
        assert row["of_limit"] > 0
        order = [ms[key] for key in ("min", "lower_quartile", "median", "upper_quartile", "max")]
        assert order == sorted(order)
        assert order[0] > 0
        assert row["calls"] >= row["rounds"] >= 3
        assert row["times_torch"] == 1 if row["backend"] == "torch" else row["times_torch"] > 0
    assert {*results["preparation_seconds"]} == {"torch", "onnx"}


def test_the_table_has_a_line_per_backend_and_the_protocol(dcgan: Run, commands) -> None:
    result = commands("bench", dcgan.path, *QUICK, *TWO)
    head, *lines = result.out.splitlines()
    assert head.split("  ")[0] == "batch"
    assert [line.split()[:2] for line in (lines[0], lines[2])] == [["1", "torch"], ["2", "torch"]]
    assert [line.split()[0] for line in (lines[1], lines[3])] == ["onnxruntime"] * 2
    assert "multiply-adds per image" in result.out
    assert "limit: " in result.out
    assert "1 thread" in lines[-1]


def test_backends_alternate(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = count()
    monkeypatch.setattr(measure.time, "perf_counter", lambda: float(next(clock)))
    called: list[str] = []
    calls = {"a": lambda: called.append("a"), "b": lambda: called.append("b")}
    results = measure.alternate(calls, 4.5)
    assert called == ["a", "b"] + ["a", "b"] * 5  # a second each, the first of each untimed
    assert results["a"].rounds == ((1.0,),) * 5
    called.clear()
    measure.alternate(calls, 1e-9)
    assert called == ["a", "b"] + ["a", "b"] * 3


def test_ratios_compare_the_same_round() -> None:
    """A machine that is slow for a while slows both, and the ratio stays."""
    fast = measure.Timing(((1.0,), (10.0,), (2.0, 1.0, 3.0)))
    slow = measure.Timing(((2.0,), (20.0,), (4.0,)))
    assert fast.times_as_fast_as(slow) == 2
    assert fast.median == 2
    assert fast.quartiles() == (1, 3)


# The limit


class Layers(torch.nn.Module):
    """A dense layer, a convolution and a transposed one; and a product that is computed once per
    batch."""

    def __init__(self) -> None:
        super().__init__()
        self.latent = Latent(3)
        self.dense = torch.nn.Linear(3, 4 * 6 * 6)
        self.convolution = torch.nn.Conv2d(4, 5, 3, padding=1)
        self.transposed = torch.nn.ConvTranspose2d(5, 2, 4, stride=2, padding=1)
        self.once = torch.nn.Parameter(torch.eye(7))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        x = self.convolution(self.dense(z).reshape(-1, 4, 6, 6))
        return self.transposed(x) + (self.once @ self.once).sum()


class Required:
    """The required hooks alone; ``sample`` computes images of a network and latents."""

    def __init__(self, sample: Any = None) -> None:
        self.sample = sample or (lambda network, z: network(z))

    @hookimpl
    def zoo_models(self):
        return [
            ModelSpec(
                name="layers",
                family="test",
                title="Layers",
                paper="-",
                config=ModelConfig,
                presets={"digits": {}},
            )
        ]

    @hookimpl
    def zoo_build(self):
        return Layers()

    @hookimpl
    def zoo_train(self):
        raise NotImplementedError

    @hookimpl
    def zoo_sample(self, network, latents, temperature):
        return (self.sample(network, latents) * temperature).sigmoid()


@pytest.fixture
def layers(exported, tmp_path: Path) -> Any:
    like = exported("dcgan")

    def make(plugin: Required | None = None) -> Run:
        host = Host(hookspecs)
        assert host.add(Plugin("layers", "tests", "0"), plugin or Required()).cause is None
        model = Model(
            host.spec("layers"),
            like.image_spec,
            Layers(),
            torch.device("cpu"),
            host.owner("layers"),
        )
        return run_of(model, RunFolder(tmp_path), like.config, host)

    return make


def test_multiply_adds_equal_those_counted_by_hand(layers) -> None:
    run = layers()
    dense = 3 * 4 * 6 * 6
    convolution = 6 * 6 * 5 * 4 * 3 * 3
    transposed = 6 * 6 * 5 * 2 * 4 * 4  # each of its inputs goes through the whole kernel
    counted = limit.multiply_adds(run, backends.sampler_of(run))
    assert counted == dense + convolution + transposed


def test_multiply_adds_of_a_flow_count_its_frozen_convolutions(exported) -> None:
    run = exported("glow")
    frozen, by_hand = freeze(run.network), []

    def note(layer: torch.nn.Conv2d, _: Any, out: torch.Tensor) -> None:
        by_hand.append(out[0].numel() * layer.weight[0].numel())

    for layer in frozen.modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_hook(note)
    graph = graphs.sampler_graph(run.with_network(frozen))
    graphs.run(graph.module, graph, graph.inputs)
    assert len(by_hand) == 4 * 3 + 1  # in the couplings, and in the split prior
    by_hand += 2 * [16 * 4 * 4, 4 * 8 * 8]  # the folded 1x1 convolutions, which are not layers
    assert limit.multiply_adds(run, backends.sampler_of(run)) == sum(by_hand)


def test_the_limit_is_the_rate_of_the_fastest_product(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([4.0, 2.0, 1.0, 3.0])  # torch and onnxruntime, of 32 rows and of 64
    monkeypatch.setattr(limit, "MIN_TRIES", 1)
    monkeypatch.setattr(limit, "_seconds", lambda call: call() is not None and next(times))
    product = limit.fastest_product(torch.device("cpu"))
    assert (product.size, product.by, product.rate) == (64, "torch", 2 * 64**3)


def test_onnxruntime_multiplies_the_same_matrices() -> None:
    (_, torchs), (_, onnxs) = limit._products(48, torch.device("cpu"))
    assert np.abs(torchs().numpy() - onnxs()[0]).max() < 1e-3


def test_a_slow_phase_leaves_the_fraction_of_the_limit_unchanged() -> None:
    """While sampling takes twice as long, the product does too."""
    sampling = measure.Timing(((8.0, 8.0), (16.0, 16.0), (8.0, 9.0, 8.0)))
    product = measure.Timing(((2.0, 1.0), (2.0, 4.0), (1.0, 3.0)))
    assert sampling.fraction_of(product, 4) == 0.5


def test_the_fraction_of_the_limit_counts_the_multiply_adds_of_a_batch(
    layers, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = layers()
    timings = {
        "torch": measure.Timing(((8.0,), (4.0,))),
        "product": measure.Timing(((2.0,), (1.0,))),
    }
    monkeypatch.setattr(measure, "alternate", lambda calls, seconds: timings)
    results = speed.bench(run, ["torch"], [1, 3], 1.0)
    share = results.multiply_adds / results.product.size**3 / 4
    assert [row.of_limit for row in results.speeds] == pytest.approx([share, 3 * share])


# The models


@pytest.mark.parametrize("model", SMALL)
def test_every_model_is_measured(exported, model: str) -> None:
    results = speed.bench(exported(model), ["torch", "onnx"], [1, 3], 0.01)
    assert [row.batch_size for row in results.speeds] == [1, 1, 3, 3]
    assert all(row.timing for row in results.speeds)
    assert results.multiply_adds > 0
    written = OnnxFile.read(results.run.path / "onnx/sampler.onnx")
    values = Interface.of(written, 1).values
    assert multiply_adds(written.model, values) == results.multiply_adds


def test_a_plugin_with_the_required_hooks_alone_is_measured(layers, tmp_path: Path) -> None:
    results = speed.bench(layers(), ["torch", "onnx"], [2], 0.01)
    assert all(row.timing for row in results.speeds)
    assert not list(tmp_path.rglob("*.onnx"))


def test_a_model_without_multiply_adds_has_no_limit(layers) -> None:
    run = layers(Required(lambda network, z: z[:, :, None, None].expand(-1, -1, 8, 8)))
    results = speed.bench(run, ["torch"], [1], 0.01)
    assert results.limit is None
    assert results.speeds[0].of_limit is None


def test_a_run_without_graphs_gets_a_temporary_one(exported, commands, tmp_path: Path) -> None:
    path = Path(shutil.copytree(exported("vae").path, tmp_path / "run"))
    shutil.rmtree(path / "onnx")
    result = commands("bench", path, *QUICK, "--backend", "onnx", "--json")
    assert result.status == 0
    assert "sampler.onnx does not exist: exporting the sampler to a temporary file" in result.err
    assert not (path / "onnx").exists()
    first, second = json.loads(result.out)["speeds"]
    assert first["times_torch"] is second["times_torch"] is None


# torch.compile


@pytest.mark.slow
def test_the_compiled_sampler_equals_the_network(
    dcgan: Run, commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    result = commands("bench", dcgan.path, *QUICK, "--backend", "compile", "--json")
    assert result.status == 0
    results = json.loads(result.out)
    if why := next((row["failed"] for row in results["speeds"] if "failed" in row), ""):
        pytest.skip(f"torch.compile does not work here: {why}")
    assert [row["batch_size"] for row in results["speeds"]] == [1, 2]
    assert (
        results["preparation_seconds"]["compile"] > results["speeds"][0]["latency_ms"]["max"] / 1000
    )
    assert "compiling" in result.err


def test_a_failed_compilation_is_reported_in_its_lines(
    dcgan: Run, commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        try:
            raise FileNotFoundError("no working C++ compiler\nand more lines")
        except FileNotFoundError as error:
            raise RuntimeError("backend='inductor' raised") from error

    monkeypatch.setattr(torch, "compile", fails)
    results = json.loads(commands("bench", dcgan.path, *QUICK, "--json").out)
    failed = [row for row in results["speeds"] if row["backend"] == "compile"]
    assert [row["failed"] for row in failed] == ["FileNotFoundError: no working C++ compiler"] * 2
    assert len([row for row in results["speeds"] if "latency_ms" in row]) == 4
    message = commands("bench", dcgan.path, *QUICK).out
    assert "torch.compile failed: FileNotFoundError: no working C++ compiler" in message
    assert message.count("torch.compile  failed") == 2


# The plot


def test_the_plot_labels_its_lines(
    dcgan: Run, commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib.figure import Figure

    saved, save = [], Figure.savefig

    def savefig(figure: Figure, *arguments: Any, **options: Any) -> None:
        saved.append(figure)
        save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", savefig)
    out = tmp_path / "bench.png"
    out.write_bytes(b"of an earlier run")
    result = commands("bench", dcgan.path, *QUICK, *TWO, "-o", out)
    assert result.out.splitlines()[-1] == f"plot: {out}"
    with Image.open(out) as image:
        assert image.format == "PNG"
        assert min(image.size) > 400
    (axes,) = saved[0].axes
    named = {text.get_text().split("  ")[0] for text in axes.texts}
    assert named == {"torch", "onnxruntime", "limit"}
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1", "2"]
    assert len(axes.lines) == 3


def test_ctrl_c_leaves_no_files(
    exported, commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(shutil.copytree(exported("vae").path, tmp_path / "run"))
    before = {*path.rglob("*")}

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(measure, "alternate", interrupted)
    result = commands("bench", path, *QUICK, *TWO, "-o", tmp_path / "bench.png")
    assert (result.status, result.out) == (130, "")
    assert {*path.rglob("*")} == before
    assert [*tmp_path.iterdir()] == [path]


def test_help_imports_neither_torch_nor_onnx() -> None:
    code = (
        "import sys\nfrom zoo.cli import main\nmain(['bench', '-h'])\n"
        "heavy = {'torch', 'onnx', 'onnxscript', 'onnxruntime', 'numpy', 'matplotlib'}\n"
        "sys.exit(bool(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--batch-sizes" in done.stdout
