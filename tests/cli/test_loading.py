"""Commands before torch is imported: their first line, and what they refuse."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import zoo

CALLS = """
import json, sys
from zoo.cli import main

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ImportError("torch is asked for")

sys.meta_path.insert(0, NoTorch())
for call in json.loads(sys.argv[1]):
    print(call, file=sys.stderr)
    main(call)
"""
"""Runs calls in one process that cannot import torch; each is printed before its lines."""

ASKED = "internal error, ImportError: torch is asked for"


def first_lines(calls: list[list[str]], folder: Path) -> tuple[list[str], str]:
    """Returns the first line of each call on standard error, and the whole standard output."""
    code = [sys.executable, "-c", CALLS, json.dumps(calls)]
    done = subprocess.run(code, capture_output=True, text=True, cwd=folder, check=True)
    lines = done.stderr.splitlines()
    places = [lines.index(str(call)) for call in calls]
    return [lines[place + 1] for place in places], done.stdout


@pytest.fixture
def conditional(trained_copy: Path) -> Path:
    """A run folder whose config.json says that its network takes the classes of the digits."""
    path = trained_copy / "config.json"
    values = json.loads(path.read_text("utf-8"))
    values["summary"]["latent"]["classes"] = 10
    path.write_text(json.dumps(values), "utf-8")
    return trained_copy


def test_a_command_says_what_it_does_before_it_imports_torch(
    trained: zoo.Run, tmp_path: Path
) -> None:
    run = str(trained.path)
    calls = [
        ["train", "glow"],
        ["train", "vae", "--preset", "mnist", "--data", "digits"],
        ["train", "glow", "--resume", "--out", run],
        ["sample", run],
        ["reconstruct", run],
        ["evaluate", run, "--json"],
        ["export", run, "--json"],
        ["bench", run, "--json"],
        ["check", "nice", "--json"],
    ]
    lines, output = first_lines(calls, tmp_path)
    loaded = f"{run}, glow on digits"
    subjects = [
        "glow on digits, preset digits",
        "vae on digits, preset mnist",
        f"glow on digits, resuming {run}",
        *[loaded] * 5,
        "checking nice",
    ]
    assert lines == [f"{subject}: loading torch" for subject in subjects]
    assert output == ""


def test_bad_input_is_refused_without_torch(
    trained: zoo.Run, conditional: Path, tmp_path: Path
) -> None:
    run, labeled = str(trained.path), str(conditional)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "config.json").write_bytes((trained.path / "config.json").read_bytes())
    refused = {
        "train glow --set depth=99": "model.depth must be at most 64",
        "train glow --steps 0": "training.steps must be at least 1",
        "train glow --preset x": "has no preset 'x'",
        "train glow --config no.toml": "No such file",
        "train glow --data digts": "did you mean 'digits'?",
        "train glow --data ./none": "there is no such file or folder",
        "train glow --device tpu": "there is no device 'tpu'",
        "train glow --device cuda:x": "there is no device 'cuda:x'",
        "train glow --out full": "full is not an empty folder",
        f"train glow --out {run}": "is already a run",
        f"train vae --resume --out {run}": "is a run of glow, not of vae",
        f"train glow --resume --out {run} --seed 3": "training.seed",
        "train glow --processes 2 --out full": "full is not an empty folder",
        "sample nowhere": "there is no run folder nowhere",
        "sample .": "is not a run folder",
        f"sample {bare}": "has no weights yet",
        f"sample {run} --label 3": "unconditional: it takes no labels",
        f"sample {labeled} --label cat": "there is no class 'cat'",
        f"sample {run} -n 0": "0 is not in the range",
        f"sample {run} -o x.gif": "x.gif: use a name in .png",
        f"sample {run} --device tpu": "there is no device 'tpu'",
        f"sample {run} --backend tf": "tf",
        f"reconstruct {run} --label 3": "unconditional: it takes no labels",
        f"reconstruct {labeled} full": "these images have no class",
        f"reconstruct {run} none.png": "there is no file or folder none.png",
        f"reconstruct {run} -o full": "-o full exists",
        f"evaluate {run} --features x.pt": "--features x.pt: must be an .onnx file",
        f"evaluate {run} --features x.onnx": "there is no such file",
        f"evaluate {run} --data none": "data.source is 'none'",
        f"evaluate {run} --metric accuracy": "'accuracy' is not one of",
        f"compare {run} nowhere": "there is no run folder nowhere",
        f"export {run} --graph decoder": "no such graph, it has sampler and encoder",
        f"export {run} --precision fp16": "fp16 is not available for glow",
        f"export {run} -o full/file": "full/file is a file",
        f"bench {run} --device mps": "zoo bench runs on cpu and cuda",
        f"bench {run} --batch-sizes 0": "'0' is not an integer from 1",
        "card nowhere": "nowhere",
        f"push {run} digits": "digits is not a Hub repository",
        f"push {run} user/digits": "no license in its metadata",
        "demo nowhere": "there is no run folder nowhere",
        "check glow --set depth=0": "model.depth must be at least 1",
        "check glow --preset x": "has no preset 'x'",
        "check glow --device tpu": "there is no device 'tpu'",
        "data digts": "did you mean 'digits'?",
    }
    calls = [call.split() for call in refused]
    lines, _ = first_lines(calls, tmp_path)
    for call, line, message in zip(calls, lines, refused.values(), strict=True):
        assert line.startswith("zoo: "), call
        assert message in line, call
        assert ASKED not in line, call


def test_a_metric_without_a_likelihood_is_refused_without_torch(exported, tmp_path: Path) -> None:
    run = str(exported("dcgan").path)
    calls = [["evaluate", run, "--metric", "nats"], ["reconstruct", run]]
    lines, _ = first_lines(calls, tmp_path)
    assert lines == [
        "zoo: dcgan has no nats per image: it has fid, kid, precision, recall",
        "zoo: dcgan cannot encode: it can sample and interpolate",
    ]
