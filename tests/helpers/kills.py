"""Kills of commands at their fault points and at random moments, in children of one process that
has torch loaded.

    python tests/helpers/kills.py train MODEL... KILLS SEED FOLDER
    python tests/helpers/kills.py commands KILLS SEED FOLDER

Each killed command is run again, perhaps killed a second time, until it ends; what it leaves is
compared with an undisturbed run. Prints the counts as one JSON document.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import itertools
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: sums of one thread

import numpy as np
from exported import SMALL
from faults import KillAt, install
from loopback_hub import loopback_hub

from zoo.api import host
from zoo.cli import main
from zoo.data.dataset import Dataset
from zoo.data.digits import open_digits
from zoo.evaluation.likelihood import validation_bits_per_dim
from zoo.model import Model
from zoo.runs.unstarted import never_started
from zoo.training import validation

TRAINING = ("steps=6", "batch_size=8", "checkpoint_every=2", "log_every=1", "validate_every=1")
TIMES = ("seconds", "images_per_second")
"""Keys whose values differ between two equal runs."""


@dataclass
class Counts:
    """Counts of killed commands, and of those that did harm."""

    points: dict[str, int] = field(default_factory=dict)
    kills: int = 0
    twice: int = 0
    lost: list[str] = field(default_factory=list)
    unequal: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)


@dataclass
class Ended:
    """How a child ended: killed or with a status, after ``points``, with its last line."""

    killed: bool
    status: int
    points: int
    seconds: float
    line: str


def run(
    arguments: Sequence[object],
    log: Path,
    at: int = 0,
    after: float | None = None,
) -> Ended:
    """Runs a command in a child, killed at the ``at``-th point or ``after`` seconds."""
    started, (read, write) = time.perf_counter(), os.pipe()
    child = os.fork()
    if child == 0:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        point = KillAt(at)
        install(point)
        status = main([str(argument) for argument in arguments])
        os.write(write, str(point.count).encode())
        log.with_suffix(".modules").write_text("\n".join(sys.modules))
        os._exit(status)
    os.close(write)
    if after is not None:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)  # a child that has ended is not reaped yet
    _, code = os.waitpid(child, 0)
    count = os.read(read, 20)
    os.close(read)
    lines = log.read_text("utf-8", errors="replace").strip().splitlines()
    killed = os.WIFSIGNALED(code) and os.WTERMSIG(code) == signal.SIGKILL
    status = os.waitstatus_to_exitcode(code)
    seconds = time.perf_counter() - started
    return Ended(killed, status, int(count or 0), seconds, lines[-1] if lines else "")


def snapshot(folder: Path) -> dict[str, object]:
    """The files of a folder by name, without the times in them."""
    files = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() or path.name == ".lock":
            continue
        files[name] = _contents(path)
    return files


def _contents(path: Path) -> object:
    if path.name in ("README.md", "manifest.json"):  # with the duration; with the hash of a time
        return None
    if path.suffix == ".jsonl":
        return [_timeless(json.loads(line)) for line in path.read_text("utf-8").splitlines()]
    if path.suffix == ".json":
        return _timeless(json.loads(path.read_text("utf-8")))
    return path.read_bytes()


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(item) for key, item in value.items() if key not in TIMES}
    return value


def compare(
    counts: Counts, label: str, got: Mapping[str, object], want: Mapping[str, object]
) -> None:
    counts.leftovers += [f"{label}: {name}" for name in got if name not in want]
    counts.unequal += [f"{label}: {name}" for name in want if got.get(name, ...) != want[name]]


def compare_runs(run: Path, whole: Path) -> list[str]:
    """Names of the files in which a run differs from an undisturbed one."""
    counts = Counts()
    compare(counts, "run", snapshot(run), snapshot(whole))
    return counts.unequal + counts.leftovers


def train(model: str, kills: int, seed: int, folder: Path) -> Counts:
    """Kills trainings of a model, at points spread over a run and at random moments.

    The best validation may be that of any step: see :func:`uneven`.
    """
    validation.validation_bits_per_dim = uneven
    generator, counts, log = random.Random(seed), Counts(), folder / "log"
    data = folder / "digits.npz"
    (split,) = open_digits().splits.values()
    np.savez(data, images=split.images.images[:90], labels=split.labels[:90])

    options = [f"--set={key}={str(value).lower()}" for key, value in SMALL[model].items()]
    options += [f"--set=training.{setting}" for setting in TRAINING]

    def command(out: Path, resume: bool) -> list[object]:
        return ["train", model, "--data", data, *options, "--out", out, *["--resume"][:resume]]

    def again(out: Path) -> list[object]:
        """The next command: --resume, or for a run that never started by turns the same one."""
        return command(out, out.exists() and (not never_started(out) or counts.kills % 2 == 0))

    whole = run(command(folder / "whole", False), log)
    assert whole.status == 0, whole.line
    load_modules(log)
    want = snapshot(folder / "whole")
    counts.points["train"] = whole.points
    for number in itertools.count():
        out = folder / "run"
        at = int((number % kills + generator.random()) / kills * whole.points) + 1
        timed = number % 4 == 3
        after = generator.uniform(0, whole.seconds) if timed else None
        label = f"after {after:.2f} s" if timed else f"at {at}"
        ended = run(command(out, False), log, 0 if timed else at, after)
        counts.kills += ended.killed
        if number % 3 == 2 and counts.kills < kills:
            second = generator.randint(1, whole.points // 2)
            ended = run(again(out), log, second)
            counts.kills += ended.killed
            counts.twice += ended.killed
            label += f" and {second}"
        final = run(again(out), log)
        if final.status:
            counts.lost.append(f"{label}: {final.line}")
        else:
            compare(counts, label, snapshot(out), want)
            if number % 5 == 0:
                from zoo.verification import verify

                problems = verify(out, host()).problems
                counts.unequal += [f"{label}: {problem}" for problem in problems]
        shutil.rmtree(out, ignore_errors=True)
        if counts.kills >= kills:
            break
    return counts


def uneven(model: Model, data: Dataset, seed: int) -> float | None:
    """A value that neither falls nor rises, and that equal weights have again."""
    bits = validation_bits_per_dim(model, data, seed)
    return None if bits is None else 1e4 * bits % 1


def commands(kills: int, seed: int, folder: Path) -> Counts:
    """Kills each command that writes beside training; it is run again, and must leave the same."""
    generator, counts, log = random.Random(seed), Counts(), folder / "log"
    os.environ.update(_start_hub(folder / "home"))  # before huggingface_hub is imported
    trained, ready, work = folder / "trained", folder / "ready", folder / "work"
    settings = [f"--set={key}={str(value).lower()}" for key, value in SMALL["glow"].items()]
    _succeed(log, "train", "glow", "--steps=4", *settings, "--out", trained)
    shutil.copytree(trained, ready)
    _succeed(log, "export", ready)
    _succeed(log, "card", ready, "--license", "apache-2.0")
    _succeed(log, "push", ready, "tester/ready")
    cases: dict[str, tuple[Path, list[object]]] = {
        "export": (trained, ["export", work]),
        "evaluate": (trained, ["evaluate", work, "--metric", "bits_per_dim"]),
        "card": (ready, ["card", work]),
        "sample": (trained, ["sample", work, "-n", 4, "-o", work / "images.npy"]),
        "pull": (trained, ["pull", "tester/ready", work / "pulled"]),
        "push": (ready, ["push", work, "tester/NUMBER"]),
    }
    for name, (start, arguments) in cases.items():
        want: dict[str, object] = {}
        points = 0
        for number in range(kills + 1):  # the first is not killed
            shutil.rmtree(work, ignore_errors=True)
            shutil.copytree(start, work)
            command = [str(part).replace("NUMBER", f"{number}") for part in arguments]
            at = int((number - generator.random()) / kills * points) + 1 if number else 0
            ended = run(command, log, at)
            counts.kills += ended.killed
            if number:
                ended = run(command, log)
            if name == "push":
                pulled = work / "pulled"
                _succeed(log, "pull", command[-1], pulled)
            got = snapshot(work)
            if not number:
                assert ended.status == 0, ended.line
                load_modules(log)
                want, points = got, ended.points
                counts.points[name] = points
            elif ended.status and got != want:
                counts.lost.append(f"{name} at {at}: {ended.line}")
            else:
                compare(counts, f"{name} at {at}", got, want)
    return counts


def load_modules(log: Path) -> None:
    """Imports what the last child had imported, so that the next ones need not; nor do they collect
    garbage in it."""
    for name in log.with_suffix(".modules").read_text().splitlines():
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    gc.freeze()


def _succeed(log: Path, *arguments: object) -> None:
    ended = run(arguments, log)
    assert ended.status == 0, ended.line


def _start_hub(home: Path) -> dict[str, str]:
    """Serves a Hub in a process of its own, as long as this one lives; returns the environment of
    its users."""
    parent = os.getpid()
    read, write = os.pipe()
    if os.fork() == 0:
        with loopback_hub() as hub:
            os.write(write, json.dumps(hub.environment(home, hub.tokens.write)).encode())
            os.close(write)
            while os.getppid() == parent:
                time.sleep(0.1)
        os._exit(0)
    os.close(write)
    with open(read, encoding="utf-8") as file:
        return dict(json.loads(file.read()))


if __name__ == "__main__":
    kind, *models, number, seed, path = sys.argv[1:]
    done = {}
    for model in models:
        (folder := Path(path) / model).mkdir()
        done[model] = vars(train(model, int(number), int(seed), folder))
    if kind == "commands":
        done[kind] = vars(commands(int(number), int(seed), Path(path)))
    print(json.dumps(done))
