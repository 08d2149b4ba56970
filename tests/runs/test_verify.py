"""``zoo verify``: what is wrong with the files of a run, and repairs."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from folders import contents
from project import ROOT
from sealed import write_weights

import zoo
from zoo.api import host
from zoo.runs.weights import load_tensors
from zoo.system.partial import partial_file
from zoo.verification import Report, verify

CHECKPOINT = "checkpoints/step-00000024"
GRID = "samples/step-00000024.png"


def flip_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def leave_partial(run: Path) -> None:
    with partial_file(run / "model.safetensors") as path:
        copy = path.read_bytes()
    path.write_bytes(copy)


def damage_line(run: Path) -> None:
    lines = (run / "metrics.jsonl").read_text("utf-8").splitlines()
    lines.insert(1, '{"step": 1x}')
    (run / "metrics.jsonl").write_text("\n".join(lines) + "\n")


def edit(run: Path) -> None:
    text = (run / "config.json").read_text("utf-8")
    (run / "config.json").write_text(text.replace('"seed": 0', '"seed": 1'), "utf-8")


def spoil_weights(run: Path) -> None:
    tensors = load_tensors(run / "model.safetensors")
    write_weights(run, {k: t / 0 if t.is_floating_point() else t for k, t in tensors.items()})


def go_back(run: Path) -> None:
    """As a kill between the weights and config.json leaves it."""
    shutil.copy(run / "checkpoints/step-00000012/config.json", run)


def older_metrics(run: Path) -> None:
    document = {"format_version": 2, "weights": "0" * 12, "metrics": [], "skipped": {}}
    (run / "metrics.json").write_text(json.dumps(document))


Damage = Callable[[Path], object]

REPAIRED: dict[str, tuple[Damage, str, str]] = {
    "weights": (
        lambda run: flip_bit(run / "model.safetensors"),
        "model.safetensors",
        "its SHA-256 is not that of config.json",
    ),
    "no weights": (
        lambda run: (run / "model.safetensors").unlink(),
        "model.safetensors",
        "missing",
    ),
    "checkpoint": (
        lambda run: flip_bit(run / CHECKPOINT / "state.safetensors"),
        CHECKPOINT,
        "SHA-256",
    ),
    "state": (lambda run: (run / CHECKPOINT / "state.json").unlink(), CHECKPOINT, "is missing"),
    "grid": (lambda run: (run / GRID).unlink(), GRID, "it is missing"),
    "bit of a grid": (
        lambda run: flip_bit(run / "samples/grid.png"),
        "samples/grid.png",
        "damaged",
    ),
    "line": (damage_line, "metrics.jsonl", "a line is damaged, the first of them line 2"),
    "temporary file": (leave_partial, ".model.safetensors.", "a killed command left it"),
    "config": (
        lambda run: os.truncate(run / "config.json", 100),
        "config.json",
        "not valid JSON",
    ),
    "no config": (lambda run: (run / "config.json").unlink(), "config.json", "no config.json"),
    "kill": (go_back, "config.json", "it is older than the weights"),
}
REPORTED: dict[str, tuple[Damage, str, str]] = {
    "edit": (edit, "config.json", "it was changed since genzoo wrote it (training.seed is 1"),
    "nan": (spoil_weights, "model.safetensors", "is not finite"),
    "metrics": (older_metrics, "metrics.json", "it was measured on other weights"),
    "damaged metrics": (
        lambda run: (run / "metrics.json").write_text("{"), "metrics.json", "it is damaged",
    ),
    "card": (lambda run: (run / "README.md").write_bytes(b"\xff"), "README.md", "is not UTF-8"),
    "graph": (
        lambda run: [(run / "onnx").mkdir(), (run / "onnx/sampler.onnx").write_bytes(b"x")],
        "onnx/sampler.onnx",
        "it has no parity report beside it",
    ),
}  # fmt: skip


def test_an_intact_run(trained: zoo.Run, commands) -> None:
    before = contents(trained.path)
    result = commands("verify", trained.path)
    assert (result.status, result.out) == (0, f"{trained.path}: 16 files, no problems\n")
    document = json.loads(commands("verify", trained.path, "--json").out)
    assert (document["intact"], document["problems"], document["notes"]) == (True, [], [])
    present = {path for path, data in before.items() if data is not None}
    unchecked = {"checkpoints/.lock", "checkpoints/data.json"}
    assert present - {*document["files"]} <= unchecked
    assert contents(trained.path) == before


@pytest.mark.parametrize(
    ("damage", "file", "text", "repairs"),
    [
        *(pytest.param(*case, True, id=name) for name, case in REPAIRED.items()),
        *(pytest.param(*case, False, id=name) for name, case in REPORTED.items()),
    ],
)
def test_a_problem_is_found_and_repaired_where_that_is_safe(
    damage: Damage, file: str, text: str, repairs: bool, trained_copy: Path
) -> None:
    before = contents(trained_copy)
    damage(trained_copy)
    damaged = contents(trained_copy)

    def check(report: Report, repaired: bool) -> None:
        (problem,) = report.problems
        assert problem.file.startswith(file)
        assert text in problem.problem
        assert problem.repaired == repaired == report.intact

    check(verify(trained_copy, host()), False)
    assert contents(trained_copy) == damaged
    check(verify(trained_copy, host(), repair=True), repairs)
    if not repairs:
        assert contents(trained_copy) == damaged
        return
    assert verify(trained_copy, host()).problems == []
    after = contents(trained_copy)
    kept = {name for name in after if name.endswith(".damaged")}
    removed = (
        {name for name in before if name.startswith(CHECKPOINT)} if file == CHECKPOINT else set()
    )
    same = before.keys() - removed
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    assert after.keys() - before.keys() == kept
    assert kept <= {f"{file}.damaged"}


def test_a_run_is_verified_as_a_command(trained_copy: Path, commands) -> None:
    flip_bit(trained_copy / "model.safetensors")
    leave_partial(trained_copy)
    result = commands("verify", trained_copy)
    assert result.status == 1
    lines = result.out.splitlines()
    assert lines[1] == (
        "model.safetensors: its SHA-256 is not that of config.json; "
        f"zoo verify {trained_copy} --repair mends it"
    )
    assert lines[2].endswith("files, 2 problems")
    result = commands("verify", trained_copy, "--repair")
    assert result.status == 0
    assert result.out.splitlines()[-1].endswith("files, 2 problems, 2 repaired")


def test_damaged_weights_without_a_checkpoint_are_not_repaired(trained_copy: Path) -> None:
    shutil.rmtree(trained_copy / "checkpoints")
    flip_bit(trained_copy / "model.safetensors")
    (problem,) = verify(trained_copy, host(), repair=True).problems
    assert (problem.fix, problem.repaired) == ("use another copy of the run", False)


def test_two_damaged_checkpoints_are_kept(trained_copy: Path) -> None:
    for path in (trained_copy / "checkpoints").glob("step-*"):
        flip_bit(path / "state.safetensors")
    report = verify(trained_copy, host(), repair=True)
    assert [problem.repaired for problem in report.problems] == [False, False]
    assert len([*(trained_copy / "checkpoints").glob("step-*")]) == 2


def test_a_run_in_training_is_not_repaired(trained_copy: Path, commands) -> None:
    with FileLock(trained_copy / "checkpoints/.lock"):
        assert verify(trained_copy, host()).notes[0].startswith("another process trains this run")
        message = commands.fails(1, "verify", trained_copy, "--repair")
    assert message == f"{trained_copy} is being trained by another process: repair it afterwards"


@pytest.mark.parametrize("version", ["version1", "version3"])
def test_a_run_of_an_older_format_has_a_note(version: str, tmp_path: Path) -> None:
    (fixture, *_) = sorted(path.parent for path in (ROOT / "tests/runs/fixtures").glob(
        f"{version}*/**/config.json"
    ))  # fmt: skip
    run = Path(shutil.copytree(fixture, tmp_path / "run"))
    report = verify(run, host())
    assert "without hashes" in report.notes[0]


def test_a_folder_that_is_no_run(here: Path, commands) -> None:
    (here / "photos").mkdir()
    assert commands.fails(2, "verify", "photos") == (
        "photos is not a run folder: it has no config.json"
    )
    message = commands.fails(2, "verify", "user/model", "--repair")
    assert message.startswith("user/model is not a local folder: fetch it with zoo pull")


def test_a_model_that_is_not_installed(trained_copy: Path) -> None:
    text = (trained_copy / "config.json").read_text("utf-8")
    (trained_copy / "config.json").write_text(text.replace('"model": "glow"', '"model": "glo"'))
    changed, unknown = verify(trained_copy, host()).problems
    assert 'model is "glo", and was "glow"' in changed.problem
    assert "there is no model 'glo'" in unknown.problem


def test_weights_of_another_network(trained_copy: Path) -> None:
    write_weights(trained_copy, {"weight": torch.zeros(3)})
    shutil.rmtree(trained_copy / "checkpoints")
    (problem,) = verify(trained_copy, host()).problems
    assert problem.file == "model.safetensors"
    assert "does not fit the network" in problem.problem
