"""``zoo demo`` without a browser: its folder, its errors, its server, and latents.js."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from browser import node
from folders import contents

import zoo
from zoo.run import Run
from zoo.sampling import latents
from zoo.sampling.interpolation import interpolate
from zoo_web.folder import ORT_CDN, ORT_FILES, space_card, write

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from zoo_onnx.export import export

PAGE = Path(sys.modules["zoo_web.folder"].__file__ or "").parent / "page"
SCRIPTS = {
    *("app.js", "latents.js", "link.js", "own.js", "images.js"),
    *("screen.js", "second.js", "worker.js"),
}
ASSETS = SCRIPTS | {"index.html", "style.css"}


@pytest.fixture(scope="module")
def kept(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with graphs; take ``exported`` to change it."""
    folder = tmp_path_factory.mktemp("exported") / "glow-digits"
    shutil.copytree(trained.path, folder)
    export(zoo.load(folder, device="cpu"))
    return folder


@pytest.fixture
def exported(kept: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(kept, tmp_path / "glow-digits"))


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    """A folder with the names of onnxruntime-web's files."""
    folder = tmp_path / "onnxruntime-web"
    (folder / "dist").mkdir(parents=True)
    for name in (*ORT_FILES, "ort.all.min.js"):
        (folder / "dist" / name).write_text(name)
    return folder


def test_the_folder_has_page_graphs_and_description(commands, exported: Path) -> None:
    result = commands("demo", exported)
    folder = exported / "demo"
    assert (result.status, result.out) == (0, f"{folder}\n")
    graphs = {"onnx/sampler.onnx", "onnx/encoder.onnx"}
    files = {name for name, data in contents(folder).items() if data is not None}
    assert files == ASSETS | {"README.md", "model.json"} | graphs
    for name in graphs:
        assert (folder / name).read_bytes() == (exported / name).read_bytes()
    for name in ASSETS - {"index.html"}:
        assert (folder / name).read_bytes() == (PAGE / name).read_bytes()
    page = (folder / "index.html").read_text()
    assert "<h1>Glow</h1>" in page
    assert "Generative Flow with Invertible 1x1 Convolutions</p>" in page
    assert "$" not in page
    model = json.loads((folder / "model.json").read_text())
    assert {model[key] for key in ("channels", "size", "bits", "pad")} == {1, 8, 4, 0}
    assert (model["latent_size"], model["latent_distribution"]) == (64, "normal")
    assert (model["classes"], model["temperature"], model["data"]) == (0, 0.7, "digits")
    assert model["class_names"] == []
    assert model["paper"].startswith("https://")
    assert model["ort"] == ORT_CDN
    for name, graph in model["graphs"].items():
        report = json.loads((exported / f"onnx/{name}.json").read_text())
        assert graph["file"] == f"onnx/{report['file']}"
        assert graph["bytes"] == report["bytes"]
        assert {*graph["parity"]} == {*report["outputs"]}
    assert str(exported) not in json.dumps(model) + page


def test_the_folder_is_a_static_space(commands, exported: Path) -> None:
    commands("demo", exported)
    _, front, text = (exported / "demo/README.md").read_text().split("---\n", 2)
    assert yaml.safe_load(front) == {
        "title": "Glow on digits",
        "sdk": "static",
        "pinned": False,
        "custom_headers": {
            "cross-origin-embedder-policy": "require-corp",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "cross-origin",
        },
        "tags": ["genzoo", "onnx"],
    }
    assert text.startswith("\n# Glow on digits\n")


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ([], "with onnxruntime-web.\n"),
        (["cat", "<b>"], "with onnxruntime-web. Its classes: cat, &lt;b&gt;.\n"),
        (list("abcdefghijklmn"), "Its classes: a, b, c, d, e, f, g, h, ..., n (14 classes).\n"),
    ],
)
def test_a_space_names_the_classes(names: list[str], sentence: str) -> None:
    model = {"title": "Glow", "paper": "-", "data": "pets", "class_names": names}
    assert sentence in space_card(model)


def test_ort_files_are_copied_and_no_others(commands, exported: Path, dist: Path) -> None:
    for folder in (dist, dist / "dist"):
        assert commands("demo", exported, "--ort", folder).status == 0
        copied = {path.name: path.read_text() for path in (exported / "demo/ort").iterdir()}
        assert copied == {name: name for name in ORT_FILES}
        assert json.loads((exported / "demo/model.json").read_text())["ort"] == "ort/"


def test_a_folder_without_onnxruntime_web_is_refused(commands, exported: Path) -> None:
    message = commands.fails(2, "demo", exported, "--ort", exported)
    assert message.startswith(f"--ort {exported} has no ort.wasm.min.mjs")
    assert not (exported / "demo").exists()


def test_its_own_folder_is_replaced(commands, exported: Path, dist: Path) -> None:
    out = exported.parent / "page"
    assert commands("demo", exported, "-o", out, "--ort", dist).status == 0
    assert commands("demo", exported, "-o", out).status == 0
    assert not (out / "ort").exists()
    assert {path.name for path in exported.parent.iterdir()} == {exported.name, "page", dist.name}


def added(out: Path) -> None:
    (out / "notes.txt").write_text("mine")


def changed(out: Path) -> None:
    (out / "README.md").write_text("mine")


def unlisted(out: Path) -> None:
    (out / "model.json").unlink()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (added, ": notes.txt was not written by zoo demo; move it, or name another folder"),
        (changed, ": README.md was changed; move it"),
        (unlisted, " has files that zoo demo did not write"),
    ],
)
def test_a_folder_with_files_of_the_user_is_refused(
    commands, exported: Path, change: Callable[[Path], None], sentence: str
) -> None:
    commands("demo", exported)
    change(exported / "demo")
    before = contents(exported)
    message = commands.fails(2, "demo", exported)
    assert message.startswith(f"-o {exported / 'demo'}{sentence}")
    assert contents(exported) == before


def test_wrong_arguments_are_refused(commands, exported: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    assert "is a file" in commands.fails(2, "demo", exported, "-o", tmp_path / "file")
    assert "needs --serve" in commands.fails(2, "demo", exported, "--port", "8000")
    assert "run folder" in commands.fails(2, "demo", tmp_path / "none")


def test_a_failure_leaves_the_earlier_page(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(exported, exported / "demo")
    before = contents(exported)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("zoo_web.folder.write_json", full)
    with pytest.raises(zoo.ZooError, match="the disk is full"):
        write(exported, exported / "demo")
    assert contents(exported) == before


def test_a_run_without_graphs_is_exported_first(commands, trained_copy: Path) -> None:
    result = commands("demo", trained_copy)
    assert result.status == 0, result
    assert "has no ONNX graphs yet" in result.err
    for name in ("sampler", "encoder"):
        assert (trained_copy / f"onnx/{name}.onnx").exists()
        assert (trained_copy / f"demo/onnx/{name}.onnx").exists()


def test_graphs_of_other_weights_are_refused(commands, exported: Path) -> None:
    with open(exported / "model.safetensors", "ab") as weights:
        weights.write(b" ")
    message = commands.fails(1, "demo", exported)
    assert "has other weights than the run: zoo export" in message
    assert not (exported / "demo").exists()


def test_exported_graphs_need_no_torch(exported: Path) -> None:
    code = (
        "import sys\n"
        "from zoo.cli import main\n"
        f"assert main(['demo', {str(exported)!r}]) == 0\n"
        "print([name for name in ('torch', 'onnxruntime', 'zoo_onnx.export') if name in "
        "sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_importing_the_exporter_imports_nothing_heavy() -> None:
    heavy = ["torch", "onnx", "onnxruntime", "numpy", "PIL", "http.server", "webbrowser"]
    code = f"import sys, zoo_web; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout == "[]\n"


def damaged(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def foreign(path: Path) -> None:
    model = onnx.load(path)
    del model.metadata_props[:]
    onnx.save(model, path)


def of_another_model(path: Path) -> None:
    model = onnx.load(path)
    metadata = {entry.key: entry.value for entry in model.metadata_props} | {"latent_size": "65"}
    onnx.helper.set_model_props(model, metadata)
    onnx.save(model, path)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (damaged, "is not an ONNX file"),
        (foreign, "is not a genzoo encoder: its metadata lack library_name"),
        (of_another_model, "are of different models, their latent_size differs"),
    ],
)
def test_a_wrong_graph_is_refused(
    commands, exported: Path, change: Callable[[Path], None], sentence: str
) -> None:
    change(exported / "onnx/encoder.onnx")
    message = commands.fails(1, "demo", exported)
    assert str(exported / "onnx/encoder.onnx") in message
    assert sentence in message
    assert not (exported / "demo").exists()


@pytest.fixture
def serving(exported: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """``zoo demo RUN --serve`` in its own process, without a display to open a browser on."""
    (tmp_path / "tmp").mkdir()
    environment = {k: v for k, v in os.environ.items() if "DISPLAY" not in k}
    process = subprocess.Popen(
        [sys.executable, "-m", "zoo", "demo", str(exported), "--serve"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment | {"TMPDIR": str(tmp_path / "tmp")},
        # A shell makes its background processes ignore Ctrl-C, maybe these tests too.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_serve_runs_until_a_signal_and_keeps_nothing(
    serving: subprocess.Popen[str], exported: Path, tmp_path: Path, number: int, status: int
) -> None:
    assert serving.stdout is not None
    address = serving.stdout.readline().strip()
    assert address.startswith("http://127.0.0.1:")
    with urllib.request.urlopen(f"{address}worker.js", timeout=30) as answer:
        assert answer.read() == (PAGE / "worker.js").read_bytes()
        assert answer.headers["content-type"] == "text/javascript"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["cross-origin-embedder-policy"] == "require-corp"
    serving.send_signal(number)
    _, message = serving.communicate(timeout=60)
    assert serving.returncode == status, message
    assert "Traceback" not in message
    assert [*(tmp_path / "tmp").iterdir()] == []
    assert not (exported / "demo").exists()


def test_a_port_in_use_is_an_error(commands, exported: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        message = commands.fails(1, "demo", exported, "--serve", "--port", port)
    assert message == f"port {port} is not available (in use): choose another --port, or none"


SEEDS = (0, 7, 2**32 - 1, 2**32, 2**53 + 1, 2**64 - 1)


def in_node(folder: Path, code: str) -> bytes:
    """Standard output of a module with latents.js beside it."""
    shutil.copy(PAGE / "latents.js", folder / "latents.mjs")
    (folder / "main.mjs").write_text(code)
    command = [node(), folder / "main.mjs"]
    return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout


@pytest.mark.parametrize("distribution", ["normal", "uniform", "logistic"])
def test_latents_js_equals_python(tmp_path: Path, distribution: str) -> None:
    code = (
        'import { latents, parseSeed } from "./latents.mjs";\n'
        f"for (const seed of {json.dumps([*map(str, SEEDS)])})\n"
        f"  for (const first of [0, 1000000])\n"
        "    process.stdout.write(Buffer.from("
        f'latents(20, 1023, "{distribution}", parseSeed(seed), first).buffer));\n'
    )
    actual = np.frombuffer(in_node(tmp_path, code), np.float32).reshape(-1, 20, 1023)
    expected = [
        latents.draw(20, 1023, distribution, seed, first)  # type: ignore[arg-type]
        for seed in SEEDS
        for first in (0, 1_000_000)
    ]
    bits = actual.view(np.int32).astype(np.int64) - np.stack(expected).view(np.int32)
    assert np.abs(bits).max() <= 1, "more than the last bit"
    assert (bits != 0).mean() < 1e-3


def test_interpolation_in_latents_js_equals_python(tmp_path: Path) -> None:
    code = (
        'import { interpolate, latents } from "./latents.mjs";\n'
        'for (const distribution of ["normal", "uniform"]) {\n'
        "  const ends = [0, 1].map((i) => latents(1, 64, distribution, [3, 0], i));\n"
        "  for (const [a, b] of [ends, [ends[0], ends[0]], [ends[0], ends[0].map((v) => -v)]])\n"
        "    for (let t = 0; t <= 4; t++)\n"
        "      process.stdout.write(Buffer.from(interpolate(a, b, t / 4, distribution).buffer));\n"
        "}\n"
    )
    actual = np.frombuffer(in_node(tmp_path, code), np.float32).reshape(2, 3, 5, 64)
    for index, distribution in enumerate(("normal", "uniform")):
        a, b = latents.draw(2, 64, distribution, 3)  # type: ignore[arg-type]
        expected = interpolate(np.stack([a, a, a]), np.stack([b, a, -a]), 5, distribution)  # type: ignore[arg-type]
        assert np.allclose(actual[index], expected, rtol=0, atol=1e-6)


def test_parse_seed_accepts_what_python_accepts(tmp_path: Path) -> None:
    texts = ["0", "7", "0007", str(2**64 - 1), str(2**64), "-1", "1.5", "", "1e3", "9" * 20]
    code = (
        'import { parseSeed } from "./latents.mjs";\n'
        f"console.log(JSON.stringify({json.dumps(texts)}.map(parseSeed)));\n"
    )
    full = 2**32 - 1
    good = [[0, 0], [7, 0], [7, 0], [full, full]]
    assert json.loads(in_node(tmp_path, code)) == [*good, *[None] * 6]
