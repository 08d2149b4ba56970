"""Start-up of the commands: seconds to the first byte on the terminal, and of the whole process.

    python benchmarks/startup/startup.py
    python benchmarks/startup/startup.py --rounds 30 --json

Each command is a process of its own on a pseudo-terminal. Every round runs all of them once, after
``python -c "import torch"``: a ratio to it, the median of those of the rounds, compares machines
and hours better than seconds do. ``imports`` is the floor of any command: click, pluggy, pydantic
and importlib.metadata.
"""

from __future__ import annotations

import argparse
import json
import os
import pty
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

TORCH = "import torch"
FLOOR = "import click, importlib.metadata, pluggy; from pydantic import BaseModel, Field"

ZOO = (sys.executable, "-m", "zoo")
TRAIN = ("train", "glow", "--steps", "1", "--device", "cpu", "--out")


@dataclass(frozen=True)
class Row:
    """Medians over ``rounds`` of a command: seconds to its first byte, None if it prints nothing,
    of the whole process, and of the latter relative to importing torch."""

    command: str
    first_s: float | None
    total_s: float
    of_torch: float
    rounds: int


def commands(folder: Path, number: int) -> dict[str, Sequence[str]]:
    """Returns the command lines of round ``number`` by title; RUN is ``folder / "run"``."""
    run = str(folder / "run")
    return {
        TORCH: (sys.executable, "-c", TORCH),
        "imports": (sys.executable, "-c", FLOOR),
        "zoo list": (*ZOO, "list"),
        "zoo --help": (*ZOO, "--help"),
        "zoo plugins": (*ZOO, "plugins"),
        "zoo show glow": (*ZOO, "show", "glow"),
        "zoo sample RUN --label 3": (*ZOO, "sample", run, "--label", "3"),
        "zoo sample RUN -n 16": (*ZOO, "sample", run, "-n", "16", "-o", f"{run}-{number}.png"),
        "zoo train glow --steps 1": (*ZOO, *TRAIN, f"{run}-{number}"),
    }


def timed(command: Sequence[str]) -> tuple[float | None, float]:
    """Runs a command on a terminal; returns the seconds to its first byte and to its end."""
    terminal, process_end = pty.openpty()
    start = time.perf_counter()
    process = subprocess.Popen(command, stdin=process_end, stdout=process_end, stderr=process_end)
    os.close(process_end)
    first = None
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # Linux: every process has closed the terminal
            break
        if not data:
            break
        first = time.perf_counter() - start if first is None else first
    process.wait()
    total = time.perf_counter() - start
    os.close(terminal)
    return first, total


def measure(rounds: int = 10) -> list[Row]:
    """Measures all commands ``rounds`` times, after one round that does not count."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        training = [*ZOO, *TRAIN, str(folder / "run")]
        subprocess.run(training, check=True, capture_output=True)
        seconds = [
            {title: timed(command) for title, command in commands(folder, number).items()}
            for number in range(rounds + 1)
        ][1:]
    return [_row(title, seconds) for title in seconds[0]]


def _row(title: str, seconds: Sequence[Mapping[str, tuple[float | None, float]]]) -> Row:
    first = [value for value in (of[title][0] for of in seconds) if value is not None]
    return Row(
        title,
        statistics.median(first) if first else None,
        statistics.median(of[title][1] for of in seconds),
        statistics.median(of[title][1] / of[TORCH][1] for of in seconds),
        len(seconds),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    options = parser.parse_args()
    rows = measure(options.rounds)
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
        return
    print(f"{'command':26} first byte s  process s  of import torch  rounds")
    for row in rows:
        first = "-" if row.first_s is None else f"{row.first_s:.2f}"
        print(
            f"{row.command:26} {first:>12} {row.total_s:10.2f} {row.of_torch:16.2f} {row.rounds:7}"
        )


if __name__ == "__main__":
    main()
