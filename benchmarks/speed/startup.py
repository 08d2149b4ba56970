"""A row of start-up: seconds of a whole command, from a process's start.

Of ``zoo train`` it is the time to its first line; of all others, to their end. ``RUN`` is a run
that was trained for a few steps.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import measure
import torch
from plan import Row

TRAIN = "zoo train"


def measured(row: Row, device: torch.device) -> dict[str, Any]:
    words = row.subject.preset.split()[1:]
    with tempfile.TemporaryDirectory() as folder:
        if "RUN" in words:
            run = Path(folder) / "run"
            _whole(["train", "glow", "--steps", "2", "--out", str(run)], Path(folder))
            words = [str(run) if word == "RUN" else word for word in words]
        to_first_line = row.subject.preset.startswith(TRAIN)
        times = [
            _to_first_line(words, Path(folder)) if to_first_line else _whole(words, Path(folder))
            for _ in range(row.rounds + 1)  # the first one warms the caches of the disk
        ][1:]
    return {
        **measure.timing({"genzoo": times}, "genzoo", 1),
        "until": "its first line" if to_first_line else "its end",
    }


def _command(words: list[str]) -> list[str]:
    return [sys.executable, "-m", "zoo", *words]


def _whole(words: list[str], folder: Path) -> float:
    start = time.perf_counter()
    subprocess.run(_command(words), cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - start


def _to_first_line(words: list[str], folder: Path) -> float:
    out = tempfile.mkdtemp(dir=folder)
    start = time.perf_counter()
    process = subprocess.Popen(
        _command([*words, "--out", f"{out}/run"]), cwd=folder, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    process.stderr.readline()
    seconds = time.perf_counter() - start
    process.kill()
    process.communicate()
    return seconds
