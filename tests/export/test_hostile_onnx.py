"""ONNX files of strangers: every command that reads one ends in a sentence, in little memory."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import hostile_onnx
import pytest
from hostile_onnx import (
    INPUTS,
    INVALID_GRAPHS,
    MANY,
    MEMORY,
    METADATA,
    OUTSIDE,
    WORK,
    Change,
    properties,
)
from hub_steps import Step, run_steps

import zoo
from zoo.errors import ZooError
from zoo.export.metadata import Metadata
from zoo_web.folder import write

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

SAMPLERS = MEMORY | WORK | INVALID_GRAPHS | OUTSIDE | METADATA
SOME = (
    "constant",
    "dynamic",
    "loop",
    "larger",
    "rows",
    "int32",
    "split",
    "another input",
    "weight",
    "pooling",
)
CASES: dict[str, dict[str, Change]] = {
    "sample": SAMPLERS | MANY,
    "demo": SAMPLERS,
    "bench": {name: SAMPLERS[name] for name in SOME},
    "evaluate": MEMORY | WORK | INVALID_GRAPHS | OUTSIDE | INPUTS,
}
"""The graphs that a command reads."""

USAGE = """
import json, resource, time
print(json.dumps([resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, time.perf_counter()]))
"""


@dataclass(frozen=True)
class Outcome:
    """How a command ended, its peak memory in MB so far, and its seconds."""

    step: Step
    peak: int
    seconds: float


def arguments(command: str, run: Path, graph: Path) -> list[object]:
    quick = {
        "sample": ["--backend", "onnx", "-n", 5, "-o", run / "x.npy"],
        "demo": ["-o", run / "page"],
        "bench": ["--backend", "onnx", "--batch-sizes", 2, "--seconds", 0.001, "--device", "cpu"],
        "evaluate": [
            *("--features", graph, "--metric", "fid", "--images", 20, "--samples", 20),
            *("--device", "cpu"),
        ],
    }
    return [command, run, *quick[command]]


@pytest.fixture(scope="module")
def outcomes(
    exported: Callable[[str], zoo.Run], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Mapping[str, Outcome]]:
    """The outcomes of a command by the name of the graph; all run in one process, after ""."""
    done: dict[str, dict[str, Outcome]] = {}

    def get(command: str) -> Mapping[str, Outcome]:
        if command not in done:
            root = tmp_path_factory.mktemp(command)
            steps: list[list[object] | str] = [USAGE]
            names = ["", *CASES[command]]
            for name in names:
                run = Path(shutil.copytree(exported("vae").path, root / f"run-{len(steps)}"))
                graph = run / "onnx" / "sampler.onnx"
                if command == "evaluate":
                    graph = root / f"{len(steps)}.onnx"
                    graph.write_bytes(hostile_onnx.features(["n", 1, 8, 8]))
                if name:
                    graph.write_bytes(CASES[command][name](graph.read_bytes()))
                steps += [arguments(command, run, graph), USAGE]
            _, start, *results = [None, *run_steps(os.environ, root, *steps)]
            done[command] = {}
            before = json.loads(start.out)[1]
            for name, step, usage in zip(names, results[::2], results[1::2], strict=True):
                peak, now = json.loads(usage.out)
                done[command][name] = Outcome(step, peak, now - before)
                before = now
        return done[command]

    return get


@pytest.mark.parametrize("command", CASES)
def test_a_graph_of_genzoo_is_read(
    outcomes: Callable[[str], Mapping[str, Outcome]], command: str
) -> None:
    assert outcomes(command)[""].step.status == 0, outcomes(command)[""]


@pytest.mark.parametrize(
    ("command", "name"), [(command, name) for command in CASES for name in CASES[command]]
)
def test_a_hostile_graph_ends_in_a_sentence_in_little_memory(
    outcomes: Callable[[str], Mapping[str, Outcome]], command: str, name: str
) -> None:
    outcome = outcomes(command)[name]
    assert len(outcome.step.sentence) < 600
    assert "Traceback" not in outcome.step.err
    assert outcome.peak < 1000
    assert outcome.seconds < 60
    if name in OUTSIDE:
        assert "keeps weights in another file" in outcome.step.sentence
    if name in WORK:
        assert "operations per image, and at most 4.4e+12 are run" in outcome.step.sentence


@pytest.mark.parametrize("kind", ["pipe", "folder", "endless"])
@pytest.mark.parametrize("command", ["sample", "demo", "verify"])
def test_only_a_regular_file_is_read(
    exported: Callable[[str], zoo.Run], commands, tmp_path: Path, command: str, kind: str
) -> None:
    run = Path(shutil.copytree(exported("vae").path, tmp_path / "run"))
    graph = run / "onnx" / "sampler.onnx"
    graph.unlink()
    makers = {"pipe": os.mkfifo, "folder": os.mkdir}
    makers.get(kind, lambda path: path.symlink_to("/dev/zero"))(graph)
    options = [] if command == "verify" else arguments(command, run, graph)[2:]
    result = commands(command, run, *options)
    assert result.status == 1
    text = result.sentence if command != "verify" else result.out + result.err
    assert "sampler.onnx" in text


VALUES = ("[1]", "null", "7", '{"a": {"b": []}}', "true", "9" * 400, "")
"""Texts of other types: a list, nothing, a number, a table, a truth, a huge number, no text."""


@pytest.mark.parametrize(
    "key", sorted(field.alias or name for name, field in Metadata.model_fields.items())
)
def test_metadata_of_any_type_are_text_or_refused(
    exported: Callable[[str], zoo.Run], tmp_path: Path, key: str
) -> None:
    run = Path(shutil.copytree(exported("vae").path, tmp_path / "run"))
    graph = run / "onnx" / "sampler.onnx"
    good = graph.read_bytes()
    for number, value in enumerate(VALUES):
        graph.write_bytes(properties(**{key: value})(good))
        with contextlib.suppress(ZooError):
            page = write(run, tmp_path / str(number))
            json.loads((page / "model.json").read_text("utf-8"))
