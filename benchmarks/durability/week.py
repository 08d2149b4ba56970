"""A week in small: a training under kills, full disks and a flipped bit ends as if undisturbed.

    python benchmarks/durability/week.py
    python benchmarks/durability/week.py --steps 2000 --seconds 15 --disk /mnt/small

``zoo train`` takes 2,000 steps of a small Glow while it is killed every few seconds, its disk fills
up twice for some seconds, and one bit of its newest checkpoint flips. Each time the command that
the user would type goes on. The bytes at the end are those of an undisturbed run, or this fails.

``--disk`` is a small file system of its own, which is filled up; without it a tmpfs of 16 MiB is
mounted, which takes root.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo.runs.checkpoints import find_checkpoints
from zoo.runs.folder import RunFolder
from zoo.system.console import say
from zoo.system.files import sha256_of

os.environ["OMP_NUM_THREADS"] = "1"  # of the runs: equal sums, and faster for so small a network

SETTINGS = ("depth=2", "width=16", "training.checkpoint_every=50")


def command(out: Path, steps: int, resume: bool = False) -> list[str]:
    settings = [f"--set={setting}" for setting in SETTINGS]
    train = [sys.executable, "-m", "zoo", "train", "glow", f"--steps={steps}", *settings]
    return [*train, "--out", str(out), *(["--resume"] if resume else [])]


@contextmanager
def small_disk(folder: Path | None) -> Iterator[Path]:
    """Yields ``folder``, or a new tmpfs."""
    if folder is not None:
        yield folder
        return
    with tempfile.TemporaryDirectory() as path:
        mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", path]
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = done.stderr.strip()
            sys.exit(f"a tmpfs cannot be mounted ({reason}): name a small disk with --disk")
        try:
            yield Path(path)
        finally:
            subprocess.run(["umount", "-l", path], check=False)


def fill(disk: Path) -> Path:
    """Fills a file system up with one file."""
    ballast = disk / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        for size in (2**16, 2**8, 1):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                pass
    return ballast


def flip_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


class Week:
    """Runs the command again and again under disturbances; ``events`` counts them."""

    def __init__(self, disk: Path, out: Path, steps: int, seconds: float, seed: int) -> None:
        self.disk, self.out, self.steps, self.seconds = disk, out, steps, seconds
        self.random = random.Random(seed)
        self.events = {"starts": 0, "kills": 0, "full disks": 0, "flipped bits": 0, "fallbacks": 0}

    @property
    def step(self) -> int:
        lines = RunFolder(self.out).read_metrics()
        return lines[-1]["step"] if lines else 0

    def run(self) -> None:
        while True:
            resume = (self.out / "config.json").exists()
            with tempfile.TemporaryFile("w+") as log:
                process = subprocess.Popen(command(self.out, self.steps, resume), stderr=log)
                self.events["starts"] += 1
                status = self.disturb(process)
                log.seek(0)
                text = log.read()
            self.events["fallbacks"] += text.count("resuming from step-")
            if status == 0:
                return
            if status != -signal.SIGKILL:
                raise SystemExit(f"zoo train ended with {status}: {text.splitlines()[-1]}")

    def disturb(self, process: subprocess.Popen[bytes]) -> int:
        """Waits for a process, kills it or fills its disk; returns its exit status."""
        deadline = time.monotonic() + self.random.uniform(0.5, 1.5) * self.seconds
        while process.poll() is None:
            time.sleep(0.02)
            if (
                self.events["full disks"] < 2
                and self.step > self.steps * (1 + self.events["full disks"]) / 4
            ):
                ballast = fill(self.disk)
                time.sleep(3)
                ballast.unlink()
                self.events["full disks"] += 1
            if time.monotonic() > deadline:
                process.send_signal(signal.SIGKILL)
                status = process.wait()
                self.events["kills"] += status == -signal.SIGKILL
                checkpoints = find_checkpoints(self.out)
                if (
                    not self.events["flipped bits"]
                    and len(checkpoints) > 1
                    and self.step > self.steps / 3
                ):
                    flip_bit(checkpoints[-1] / "state.safetensors")
                    self.events["flipped bits"] += 1
                return status
        return process.returncode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=15, help="between two kills, on average")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--disk", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, small_disk(options.disk) as disk:
        whole, out = Path(folder) / "whole", disk / "run"
        say("an undisturbed run")
        subprocess.run(command(whole, options.steps), check=True, stderr=subprocess.DEVNULL)
        say("a disturbed run")
        week = Week(disk, out, options.steps, options.seconds, options.seed)
        week.run()
        verified = subprocess.run([sys.executable, "-m", "zoo", "verify", str(out)], check=False)
        names = ["model.safetensors", f"checkpoints/step-{options.steps:08d}/state.safetensors"]
        names += [path.relative_to(whole).as_posix() for path in whole.glob("samples/*.png")]
        unequal = [name for name in names if sha256_of(whole / name) != sha256_of(out / name)]
        print(json.dumps({**week.events, "files": len(names), "unequal": unequal}))
        sys.exit(bool(unequal) or verified.returncode != 0)


if __name__ == "__main__":
    main()
