"""``zoo runs``: the runs of a folder, their states, and folders of strangers."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from hostile_text import HOSTILE, harmless
from sealed import write_config

import zoo
from zoo.cli.runs import age, size
from zoo.report.inventory import glance
from zoo.runs.find import find_runs
from zoo.runs.lock import held, is_locked


def change(run: Path, section: str, **values: object) -> None:
    """Changes a section of config.json, with its hashes."""
    document = json.loads((run / "config.json").read_text())
    document["config"][section] |= values
    write_config(run, document)


def test_a_run_has_a_row(trained: zoo.Run, here: Path, commands) -> None:
    shutil.copytree(trained.path, "runs/study/glow-1")
    os.utime("runs/study/glow-1/metrics.jsonl", (0, 2**33))
    result = commands("runs")
    assert (result.status, result.err) == (0, "")
    heads, row = result.out.splitlines()
    assert heads.split() == ["RUN", "STATE", "MODEL", "DATA", "STEP", "BEST", "AGE", "SIZE"]
    lines = [line for line in trained.folder.read_metrics() if "validation_bits_per_dim" in line]
    best = min(lines, key=lambda line: line["validation_bits_per_dim"])
    bits = best["validation_bits_per_dim"]
    size_shown = f"{sum(p.stat().st_size for p in trained.path.rglob('*') if p.is_file()) >> 10}"
    assert row.split()[:7] == [
        *("runs/study/glow-1", "finished", "glow", "digits", "24", f"{bits:.4g}", "bits/dim"),
    ]
    assert row.split()[7] == "0s", "a time to come"
    assert int(row.split()[8].removesuffix("K")) - int(size_shown) in (0, 1)
    (document,) = json.loads(commands("runs", "runs", "--json").out)
    assert document["best"] == {"name": "bits_per_dim", "value": bits, "step": best["step"]}
    assert document["path"] == "runs/study/glow-1"
    assert (document["updated"], document["reason"]) == (2**33, None)


def test_runs_are_listed_without_torch(trained: zoo.Run) -> None:
    code = (
        "import sys; from zoo.cli import main; main(['runs', sys.argv[1]]); "
        "sys.exit(' '.join({'torch', 'numpy', 'safetensors', 'zoo_glow'} & {*sys.modules}))"
    )
    command = [sys.executable, "-c", code, str(trained.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[1].startswith(f"{trained.path}  finished  glow")
    assert done.stderr.strip() == ""


@pytest.mark.parametrize(
    ("limits", "state"),
    [
        ({"steps": 24}, "finished"),
        ({"steps": 25}, "stopped"),
        ({"steps": None, "minutes": 1e9}, "stopped"),
        ({"steps": None, "minutes": 1e-5}, "finished"),
        ({"steps": 25, "epochs": 0.01}, "finished"),
        ({"steps": 25, "epochs": 1e9}, "stopped"),
    ],
)
def test_a_run_is_finished_at_a_limit(limits, state: str, trained_copy: Path) -> None:
    change(trained_copy, "training", **limits)
    assert glance(trained_copy).state == state


def test_a_run_that_was_killed_before_its_checkpoint_is_stopped(trained_copy: Path) -> None:
    shutil.rmtree(trained_copy / "checkpoints/step-00000024")
    assert glance(trained_copy).state == "stopped"
    shutil.rmtree(trained_copy / "checkpoints")
    assert glance(trained_copy).state == "finished", "as it was pulled"


def test_a_run_is_in_training_while_a_process_holds_it(trained_copy: Path) -> None:
    (trained_copy / "checkpoints/.lock").touch()
    assert glance(trained_copy).state == "finished", "the lock of a process that was killed"
    with FileLock(trained_copy / "checkpoints/.lock"):
        assert glance(trained_copy).state == "training"
        (trained_copy / "config.json").unlink()
        assert (glance(trained_copy).state, find_runs(trained_copy)) == ("training", [trained_copy])
    assert glance(trained_copy).state == "damaged"


def test_asking_disturbs_neither_others_nor_a_training(trained_copy: Path) -> None:
    assert not is_locked(trained_copy)
    (trained_copy / "checkpoints/.lock").write_text("kept")
    with open(trained_copy / "checkpoints/.lock") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert not is_locked(trained_copy)
    assert (trained_copy / "checkpoints/.lock").read_text() == "kept"
    with held(trained_copy):
        assert is_locked(trained_copy)


def test_a_gan_shows_what_was_measured(trained_copy: Path, commands) -> None:
    assert commands("evaluate", trained_copy, "--metric", "nats").status == 0
    lines = (trained_copy / "metrics.jsonl").read_text().replace("validation_", "other_")
    (trained_copy / "metrics.jsonl").write_text(lines)
    best = glance(trained_copy).best
    document = json.loads((trained_copy / "metrics.json").read_text())
    assert best is not None
    assert (best.name, best.value) == ("nats", document["metrics"][0]["value"])
    (trained_copy / "metrics.json").write_text(json.dumps(document | {"weights": "0" * 12}))
    assert glance(trained_copy).best is None, "of earlier weights"


def text(name: str, content: str) -> Callable[[Path], object]:
    return lambda run: (run / name).write_text(content)


def cut(run: Path) -> None:
    os.truncate(run / "model.safetensors", (run / "model.safetensors").stat().st_size - 4)


def pipe(name: str) -> Callable[[Path], object]:
    def make(run: Path) -> None:
        (run / name).unlink()
        os.mkfifo(run / name)

    return make


def seed(run: Path) -> None:
    values = (run / "config.json").read_text()
    (run / "config.json").write_text(values.replace('"seed": 0', '"seed": 1'))


def log(line: str) -> Callable[[Path], object]:
    def make(run: Path) -> None:
        with open(run / "metrics.jsonl", "a") as file:
            file.write(line)

    return make


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "config cut": (text("config.json", "{"), "not valid JSON"),
    "config of a list": (text("config.json", "[]"), "genzoo did not write its config.json"),
    "config empty": (text("config.json", "{}"), "genzoo did not write its config.json"),
    "config gone": (lambda run: (run / "config.json").unlink(), "it has no config.json"),
    "config changed": (seed, "config.json was changed since genzoo wrote it"),
    "pipe": (pipe("config.json"), "is not a regular file"),
    "log a pipe": (pipe("metrics.jsonl"), "is not a regular file"),
    "weights gone": (lambda run: (run / "model.safetensors").unlink(), "does not exist"),
    "weights cut": (cut, "its length is not the one in its header"),
    "weights of text": (text("model.safetensors", "x" * 80), "its header is not valid"),
    "a link": (lambda run: (run / "x").symlink_to("/etc/hostname"), "is a link that leads out"),
}


@pytest.mark.parametrize(("damage", "reason"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_run_is_a_row(
    damage: Callable[[Path], object], reason: str, trained_copy: Path, commands
) -> None:
    damage(trained_copy)
    result = commands("runs", trained_copy.parent)
    assert result.status == 0
    assert result.out.splitlines()[1].split()[:2] == [str(trained_copy), "damaged"]
    (line,) = result.err.splitlines()
    assert line.startswith(f"damaged: {trained_copy}: ")
    assert reason in line
    (document,) = json.loads(commands("runs", trained_copy, "--json").out)
    assert document["state"] == "damaged"
    assert reason in document["reason"]


@pytest.mark.parametrize(
    "line",
    [
        '{"step": 30, "validation_bits_per_dim": 1e99999}\n',
        f'{{"step": 30, "validation_bits_per_dim": 1{"0" * 400}}}\n',
        '{"validation_bits_per_dim": 0}\n{"step": 30, "validat',
        '"validation_' * 10**5,
        "\n" * 1000 + "\0",
    ],
)
def test_a_damaged_log_hides_nothing_else(line: str, trained_copy: Path) -> None:
    before = glance(trained_copy)
    log(line)(trained_copy)
    after = glance(trained_copy)
    assert after.best == before.best
    assert after.step in (24, 30)
    assert after.state != "damaged"


def test_only_runs_are_listed(trained: zoo.Run, here: Path, commands) -> None:
    result = commands("runs")
    assert (result.status, result.out) == (0, "")
    assert result.err == "there are no runs in runs: zoo train starts one\n"
    assert json.loads(commands("runs", "--json").out) == []
    assert commands.fails(2, "runs", "x") == "x does not exist: name a folder of runs"
    for other in ("runs/other", "runs/.hidden", "runs/deep/a/b"):
        Path(other).mkdir(parents=True)
        Path(other, "config.json").write_text('{"architectures": ["Bert"]}')
    Path("runs/deep/root").symlink_to("/")
    Path("runs/deep/self").symlink_to(".")
    shutil.copytree(trained.path, "runs/deep/glow")
    shutil.copytree(trained.path, "runs/deep/glow/inner")
    Path("runs/linked").symlink_to(trained.path)
    paths = ["runs/deep/glow", "runs/deep/glow/inner", "runs/linked"]
    assert [str(path) for path in find_runs(Path("runs"))] == paths


def test_names_have_no_power_over_the_terminal(trained: zoo.Run, here: Path, commands) -> None:
    for i, name in enumerate(HOSTILE):
        run = Path(shutil.copytree(trained.path, f"runs/{i}{name.translate({0: None, 47: None})}"))
        change(run, "data", source=name)
    (run / "config.json").write_text("{")
    result = commands("runs")
    assert harmless(result.out + result.err)
    assert len(result.out.splitlines()) == 1 + len(HOSTILE)
    assert harmless(commands("runs", "--json").out)


@pytest.mark.parametrize(
    ("columns", "hidden"), [(120, ""), (80, ""), (60, "SIZE, AGE, DATA"), (20, "SIZE, AGE")]
)
def test_the_table_fits_the_terminal(
    columns: int, hidden: str, trained: zoo.Run, here: Path, commands, monkeypatch
) -> None:
    for module in ("zoo.cli.group", "zoo.cli.runs"):
        monkeypatch.setattr(f"{module}.terminal_width", lambda: columns)
    for name in ("glow-digits", "study/a-" + "long-" * 20 + "name"):
        shutil.copytree(trained.path, f"runs/{name}" if columns < 60 else f"runs/{name[:12]}")
    result = commands("runs")
    assert max(map(len, result.out.splitlines())) <= max(columns, 22)
    assert result.err.startswith(f"left out of this narrow terminal: {hidden}" if hidden else "")
    assert bool(result.err) == bool(hidden)


def test_paths_are_shortened_before_the_best_metric_is_left_out(
    trained: zoo.Run, here: Path, commands, monkeypatch
) -> None:
    shutil.copytree(trained.path, "runs/" + "long-" * 12)
    monkeypatch.setattr("zoo.cli.runs.terminal_width", lambda: 60)
    heads, row = commands("runs").out.splitlines()
    assert heads.split() == ["RUN", "STATE", "STEP", "BEST"]
    assert len(row) == 60
    assert "…" in row


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0s"), (59, "59s"), (60, "1m"), (3600, "1h"), (1e5, "1d"), (1e9, "11,574d")],
)
def test_ages_have_one_unit(seconds: float, text: str) -> None:
    assert age(seconds) == text


def test_sizes_have_one_unit() -> None:
    assert [size(count) for count in (0, 2**20, 3 * 2**30)] == ["0K", "1.0M", "3.0G"]
