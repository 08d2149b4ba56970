"""Runs are loaded and pulled from the Hub: requests, the cache, and interrupted transfers."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from folders import contents, files_of
from hub_steps import run_steps
from loopback_hub import LoopbackHub


@pytest.fixture
def vae(exported, hub: LoopbackHub) -> dict[str, bytes]:
    """The files of ``tester/vae`` on the Hub."""
    files = files_of(exported("vae"))
    hub.create("tester/vae", files=files)
    return files


def fetched(hub: LoopbackHub) -> set[str]:
    """Names of the files whose content was requested."""
    names = {
        request.path.rpartition("/tester/vae/")[2]
        for request in hub.requests("GET", "/tester/vae/")
    }
    return {name.partition("/")[2] for name in names if not name.startswith("tree/")}


def test_loading_fetches_two_files_and_onnx_the_graph_alone_without_torch(
    vae, hub: LoopbackHub, tmp_path: Path
) -> None:
    environment = hub.environment(tmp_path / "home", hub.tokens.read)
    sample = ["sample", "tester/vae", "-n", "2", "--backend", "onnx", "-o", "onnx.npy"]
    (sampled, without) = run_steps(
        environment,
        tmp_path,
        sample,
        "import sys; assert 'torch' not in sys.modules, 'torch was imported'",
        torch=False,
    )
    assert (sampled.status, without.status) == (0, 0)
    assert fetched(hub) == {"onnx/sampler.onnx"}
    encode = """
from zoo_onnx import OnnxModel
model = OnnxModel.load("tester/vae", "cpu", revision="main")
z = model.encode(model.sample(3))
import sys; assert "torch" not in sys.modules"""
    assert run_steps(environment, tmp_path, encode, torch=False)[0].status == 0
    assert fetched(hub) == {"onnx/sampler.onnx", "onnx/encoder.onnx"}
    load = """
import zoo
run = zoo.load("tester/vae", "cpu", revision="main")
assert run.sample(2).shape == (2, 1, 8, 8) and run.source == "tester/vae@main"
import numpy as np
assert abs(run.sample(2).numpy() - np.load("onnx.npy")).max() < 1e-4"""
    assert run_steps(environment, tmp_path, load)[0].status == 0
    graphs = {"onnx/sampler.onnx", "onnx/encoder.onnx"}
    assert fetched(hub) == {"config.json", "model.safetensors"} | graphs


def test_commands_that_write_into_a_run_do_not_write_into_the_cache(
    vae, hub: LoopbackHub, tmp_path: Path
) -> None:
    small = ["--device", "cpu", "-n", "8"]
    fill = ["export", "tester/vae", "-o", "graphs"]
    steps = [
        ["sample", "tester/vae", "-o", "a.png"],
        ["compare", "tester/vae", "tester/vae@main", "--device", "cpu"],
        fill,
        ["demo", "tester/vae", "-o", "page"],
    ]
    *filled, _, evaluated, reconstructed, exported, shown = run_steps(
        hub.environment(tmp_path / "home"),
        tmp_path,
        *steps,
        "import shutil; shutil.copytree('home', 'before', symlinks=True)",
        ["evaluate", "tester/vae", "--metric", "bits_per_dim", *small],
        ["reconstruct", "tester/vae", *small],
        ["export", "tester/vae"],
        ["demo", "tester/vae"],
    )
    assert {step.status for step in (*filled, evaluated, reconstructed)} == {0}
    assert {path.name for path in (tmp_path / "graphs").glob("*.onnx")} == {
        "sampler.onnx",
        "encoder.onnx",
    }
    assert "the metrics are not saved" in evaluated.err
    assert exported.sentence == (
        "tester/vae is not a local folder: name a folder for its graphs, -o DIR"
    )
    assert shown.sentence.startswith("tester/vae is not a local folder: name a folder for the page")
    assert contents(tmp_path / "home") == contents(tmp_path / "before")


@pytest.mark.slow
def test_bench_does_not_write_into_the_cache(vae, hub: LoopbackHub, tmp_path: Path) -> None:
    bench = ["bench", "tester/vae", "--batch-sizes", "1", "--seconds", "0.01", "--backend", "onnx"]
    first, _, again = run_steps(
        hub.environment(tmp_path / "home"),
        tmp_path,
        bench,
        "import shutil; shutil.copytree('home', 'before', symlinks=True)",
        bench,
    )
    assert (first.status, again.status) == (0, 0)
    assert contents(tmp_path / "home") == contents(tmp_path / "before")


def test_a_pull_takes_a_revision_and_a_new_folder(vae, hub: LoopbackHub, tmp_path: Path) -> None:
    first = hub.commits("tester/vae")[0].oid
    hub.repository("tester/vae").write({"metrics.jsonl": b"", "notes.txt": b"of somebody"})
    hub.repository("tester/vae").refs["refs/tags/v1"] = first
    (tmp_path / "there").mkdir()
    pull = ["pull", "tester/vae"]
    done = run_steps(
        hub.environment(tmp_path / "home"),
        tmp_path,
        [*pull, "new"],
        ["pull", "tester/vae@v1", "old"],
        [*pull, "same", "--revision", first],
        [*pull, "there"],
        [*pull, "none", "--revision", "v2"],
        ["pull", "tester/none", "none"],
        ["pull", "tester", "none"],
        ["pull", "tester/vae@v1", "none", "--revision", "v2"],
    )
    assert (done[0].status, done[0].out) == (0, "new\n")
    assert contents(tmp_path / "new")["metrics.jsonl"] == b""
    assert not (tmp_path / "new/notes.txt").exists()
    assert contents(tmp_path / "old") == contents(tmp_path / "same")
    assert contents(tmp_path / "old")["metrics.jsonl"] == vae["metrics.jsonl"] != b""
    assert done[3].sentence == "there exists already: name a new folder"
    assert done[4].sentence == "tester/vae has no revision v2"
    assert done[5].sentence.startswith("the Hub has no repository tester/none that you can access")
    assert done[6].sentence == "tester is not a Hub repository: name one as user/repo"
    assert "the revision is given twice, 'v1' and 'v2'" in done[7].sentence
    assert {step.status for step in done[3:]} == {2}
    assert not (tmp_path / "none").exists()


def test_a_private_run_needs_a_token(exported, hub: LoopbackHub, tmp_path: Path) -> None:
    hub.create("tester/own", files=files_of(exported("vae")), private=True)
    hub.create("tester/gated", files=files_of(exported("vae")), gated=True)
    token = f"import os; os.environ['HF_TOKEN'] = {hub.tokens.read!r}"
    load = f"import zoo; zoo.load('tester/own', token={hub.tokens.read!r})"
    pull = ["pull", "tester/own", "own"]
    environment = hub.environment(tmp_path / "home")
    gated = ["pull", "tester/gated", "gated"]
    private, locked, loaded, _, pulled = run_steps(
        environment, tmp_path, pull, gated, load, token, pull
    )
    assert locked.sentence.startswith(
        "tester/gated is gated: request access on its page, then run hf"
    )
    assert private.sentence.endswith(
        "for a private one, run hf auth login, or set HF_TOKEN to a token of "
        "https://huggingface.co/settings/tokens"
    )
    assert (loaded.status, pulled.status) == (0, 0)
    for name, data in contents(tmp_path).items():
        assert hub.tokens.read.encode() not in (data or b""), name


def test_an_interrupted_pull_leaves_no_folder_and_the_next_one_works(
    vae, hub: LoopbackHub, tmp_path: Path
) -> None:
    environment = hub.environment(tmp_path / "home", hurry=True)
    hub.cut("GET", after=0, path="model.safetensors", times=math.inf)
    pull = ["pull", "tester/vae", "run"]
    cut, loaded = run_steps(environment, tmp_path, pull, ["sample", "tester/vae"])
    assert cut.status == loaded.status == 1
    assert cut.sentence.startswith("the connection was lost while transferring files of tester/vae")
    assert loaded.sentence == cut.sentence
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    hub.faults.waiting.clear()
    (done,) = run_steps(environment, tmp_path, pull)
    assert done.status == 0
    assert contents(tmp_path / "run")["model.safetensors"] == vae["model.safetensors"]


def test_a_damaged_file_in_the_cache_is_found_and_fetched_again(
    vae, hub: LoopbackHub, tmp_path: Path
) -> None:
    damage = """
from pathlib import Path
for path in Path("home").rglob("snapshots/*/onnx/sampler.onnx"):
    blob = path.resolve()
    blob.write_bytes(blob.read_bytes()[:-1] + b"?")"""
    first, _, damaged, again = run_steps(
        hub.environment(tmp_path / "home"),
        tmp_path,
        ["pull", "tester/vae", "a"],
        damage,
        ["pull", "tester/vae", "b"],
        ["pull", "tester/vae", "c"],
    )
    assert (first.status, again.status) == (0, 0)
    assert damaged.sentence.startswith("onnx/sampler.onnx of tester/vae does not have the hash ")
    assert not (tmp_path / "b").exists()
    assert contents(tmp_path / "c") == contents(tmp_path / "a")


def test_offline_a_run_comes_from_the_cache_or_is_one_sentence(
    vae, hub: LoopbackHub, tmp_path: Path
) -> None:
    load = ["sample", "tester/vae", "--device", "cpu"]
    assert run_steps(hub.environment(tmp_path / "home"), tmp_path, load)[0].status == 0
    requests = len(hub.log)
    environment = hub.environment(tmp_path / "home", offline=True)
    pulled, sampled, none, graph = run_steps(
        environment,
        tmp_path,
        ["pull", "tester/vae", "two"],
        load,
        ["pull", "tester/none", "none"],
        ["sample", "tester/vae", "--backend", "onnx"],
    )
    assert (pulled.status, sampled.status) == (0, 0)
    assert {*contents(tmp_path / "two")} == {"config.json", "model.safetensors"}
    size = sum(len(vae[name]) for name in ("config.json", "model.safetensors"))
    assert f"tester/vae: 2 files, {size / 1000:.1f} kB, from the cache" in pulled.err
    for step, name in ((none, "tester/none"), (graph, "tester/vae")):
        assert step.sentence == (
            f"{name} is not in the cache and HF_HUB_OFFLINE is set: unset it to download once"
        )
    assert len(hub.log) == requests


def test_a_run_on_the_hub_is_verified(vae, hub: LoopbackHub, tmp_path: Path) -> None:
    weights = bytearray(vae["model.safetensors"])
    weights[len(weights) // 2] ^= 1
    hub.create("tester/damaged", files={**vae, "model.safetensors": bytes(weights)})
    intact, damaged = run_steps(
        hub.environment(tmp_path / "home", hub.tokens.read),
        tmp_path,
        ["verify", "tester/vae"],
        ["verify", "tester/damaged"],
    )
    assert intact.status == 0
    assert intact.out.startswith("tester/vae: ")
    assert intact.out.endswith(" files, no problems\n")
    assert damaged.status == 1
    first, *_ = damaged.out.splitlines()
    assert first.startswith("model.safetensors: its SHA-256 is not that of config.json; ")
