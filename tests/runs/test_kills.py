"""Commands that are killed at any moment lose nothing; the counts are printed."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from exported import SMALL
from kills import compare_runs
from project import ROOT

KILLS = ROOT / "tests/helpers/kills.py"


Count = Callable[[str], None]


def check(count: Count, kills: int, *arguments: object) -> None:
    """Runs the harness, and asserts that of at least ``kills`` of each kind none did harm."""
    command = [sys.executable, KILLS, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    for name, counts in results.items():
        lost, unequal, leftovers = (counts[key] for key in ("lost", "unequal", "leftovers"))
        count(
            f"{name}: {counts['kills']} kills, {counts['twice']} of them of a resumed run, "
            f"{len(lost)} lost, {len(unequal)} unequal, {len(leftovers)} left over"
        )
        assert lost == unequal == leftovers == []
        assert counts["kills"] >= kills


def test_ten_kills_of_a_training_of_each_model_lose_nothing(count: Count, tmp_path: Path) -> None:
    check(count, 10, "train", *SMALL, 10, 0, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("model", SMALL)
def test_a_hundred_kills_of_a_training_lose_nothing(
    model: str, count: Count, tmp_path: Path
) -> None:
    check(count, 100, "train", model, 100, 1, tmp_path)


@pytest.mark.slow
def test_kills_of_other_commands_lose_nothing(count: Count, tmp_path: Path) -> None:
    check(count, 5, "commands", 1, 0, tmp_path)


@pytest.mark.slow
def test_many_kills_of_other_commands_lose_nothing(count: Count, tmp_path: Path) -> None:
    check(count, 100, "commands", 20, 1, tmp_path)


def test_five_processes_killed_in_training_lose_nothing(tmp_path: Path) -> None:
    """SIGKILL of ``zoo train`` itself at random moments; the same command or --resume goes on."""
    settings = ("--steps=40", "--set=depth=1", "--set=width=8", "--set=training.checkpoint_every=8")
    command = [sys.executable, "-m", "zoo", "train", "glow", *settings, "--out"]
    whole = time.perf_counter()
    subprocess.run([*command, tmp_path / "whole"], check=True, capture_output=True)
    seconds = min(time.perf_counter() - whole, 20)  # a start that waited for others took minutes
    generator, out = random.Random(0), tmp_path / "run"
    kills = 0
    while kills < 5:
        resume = ["--resume"] if (out / "config.json").exists() else []
        process = subprocess.Popen([*command, out, *resume], stderr=subprocess.PIPE, text=True)
        time.sleep(generator.uniform(0.3, 1) * seconds)
        process.send_signal(signal.SIGKILL)
        _, errors = process.communicate()
        assert process.returncode in (0, -signal.SIGKILL), errors
        kills += process.returncode == -signal.SIGKILL
        if process.returncode == 0:
            shutil.rmtree(out)
    resume = ["--resume"] if (out / "config.json").exists() else []
    subprocess.run([*command, out, *resume], check=True, capture_output=True)
    assert compare_runs(out, tmp_path / "whole") == []
