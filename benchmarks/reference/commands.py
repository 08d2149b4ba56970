"""Training and evaluation by the ``zoo`` command, in subprocesses."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from entries import Entry

from zoo.api import host
from zoo.config.resolve import changed, resolve
from zoo.errors import Interrupted, UsageError, ZooError
from zoo.evaluation.metrics import current_evaluation
from zoo.runs.folder import CONFIG, SAMPLES, RunFolder
from zoo.training.request import DECIDED


def train(entry: Entry, source: str, folder: Path, device: str) -> bool:
    """Trains into ``folder``, resuming an interrupted run; False if the run is finished.

    Raises UsageError if ``folder`` has another run.
    """
    exists = (folder / CONFIG).exists()
    if exists:
        _check_same(entry, folder)
        if finished(folder):
            return False
    resume = ["--resume"] if exists else []
    _zoo([*train_command(entry, source, folder), "--device", device, *resume])
    return True


def evaluate(entry: Entry, source: str, folder: Path, device: str) -> bool:
    """Measures all metrics of the model; False if they are measured already."""
    if (evaluation := current_evaluation(folder)) is not None and not evaluation.skipped:
        names = {metric.name.partition("_cnn")[0] for metric in evaluation}
        if {"fid", "kid", "precision", "recall"} <= names:
            return False
    _zoo([*evaluate_command(source, folder), "--device", device])
    return True


def train_command(entry: Entry, source: str, folder: Path) -> list[str]:
    """Returns the arguments of ``zoo``."""
    command = ["train", entry.model, "--preset", entry.preset, "--data", source, "--seed", "0"]
    if entry.minutes is not None:
        command += ["--minutes", f"{entry.minutes:g}"]
    if entry.steps is not None:
        command += ["--steps", str(entry.steps)]
    return [*command, "--out", str(folder)]


def evaluate_command(source: str, folder: Path) -> list[str]:
    return ["evaluate", str(folder), "--data", source]


def finished(folder: Path) -> bool:
    """Whether a run has reached a limit of its config.json."""
    lines = RunFolder(folder).read_metrics()
    if not lines:
        return False
    last, limits = lines[-1], RunFolder(folder).read_config()["config"]["training"]
    reached = [
        limits["steps"] is not None and last["step"] >= limits["steps"],
        # Both are rounded in metrics.jsonl.
        limits["epochs"] is not None and last["epoch"] + 5e-5 >= limits["epochs"],
        limits["minutes"] is not None and last["seconds"] + 5e-4 >= 60 * limits["minutes"],
    ]
    # A checkpoint writes this file last.
    return any(reached) and (folder / SAMPLES / f"step-{last['step']:08d}.png").exists()


def shell(command: Sequence[str]) -> str:
    """A command as typed in a shell."""
    return shlex.join(["zoo", *command])


def _check_same(entry: Entry, folder: Path) -> None:
    run = RunFolder(folder)
    values = run.read_config()
    if values.get("model") != entry.model:
        raise UsageError(f"{folder} is a run of {values.get('model')}, not of {entry.model}")
    spec, config, _ = run.parse_config(values, host().spec)
    wanted = resolve(spec, entry.preset, None, [])
    for key, old, new in changed(config, wanted):
        if key in DECIDED and new == "auto":  # the run records the decision
            continue
        if key not in ("data.source", "training.seed") or (key == "training.seed" and old != 0):
            raise UsageError(
                f"{folder} has {key} = {json.dumps(old)}, and the preset {entry.preset} has "
                f"{json.dumps(new)}: name another --out"
            )


def _zoo(arguments: Sequence[str]) -> None:
    """Runs ``zoo`` with its output on standard error; raises by its exit status.

    Waits for an interrupted training, which writes a checkpoint first. Ctrl-C reaches it from the
    terminal; SIGTERM is passed on.
    """
    process = subprocess.Popen([sys.executable, "-m", "zoo", *arguments], stdout=sys.stderr)
    before = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    stopped = False
    try:
        while process.poll() is None:
            try:
                process.wait()
            except KeyboardInterrupt:
                stopped = True
    finally:
        signal.signal(signal.SIGTERM, before)
    if stopped or process.returncode in (130, 143):
        raise Interrupted("stopped", 130 if stopped else process.returncode)
    if process.returncode:
        raise ZooError(f"{shell(arguments)} exited with {process.returncode}: see its last line")
