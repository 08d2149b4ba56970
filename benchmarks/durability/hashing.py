"""The cost of hashes: of loading a run, and of a training run's checkpoints.

    python benchmarks/durability/hashing.py
    python benchmarks/durability/hashing.py --rounds 30 --json

A Glow with 224 MB of weights is loaded with and without the SHA-256 of its file. A Glow is trained
by its default preset, and the time that it spends in SHA-256 is counted. Rounds alternate; figures
are medians.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import zoo
import zoo.runs.weights
from zoo.system.console import say

LARGE = {"width": 890, "depth": 32, "levels": 2, "conditional": False}
"""A Glow of the digits with 224 MB of weights."""

QUIETLY = {"device": "cpu", "quiet": True}


def seconds_of(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def loading(folder: Path, rounds: int) -> dict[str, float]:
    """Seconds of ``zoo.load`` with and without the hash of the weights."""
    config = {**LARGE, "training.checkpoint_every": 100}
    run = zoo.train("glow", steps=1, batch_size=4, config=config, out=folder, **QUIETLY)
    path = run.path / "model.safetensors"
    digest = run.folder.weights_digest()
    checked, unchecked = [], []
    for _ in range(rounds):
        checked.append(seconds_of(lambda: zoo.load(run.path, "cpu")))
        with mock.patch.object(zoo.runs.weights, "sha256_of", return_value=digest):
            unchecked.append(seconds_of(lambda: zoo.load(run.path, "cpu")))
    extra = [one - other for one, other in zip(checked, unchecked, strict=True)]
    return {
        "megabytes": path.stat().st_size / 1e6,
        "seconds": statistics.median(checked),
        "seconds_without": statistics.median(unchecked),
        "extra_seconds": statistics.median(extra),
    }


@contextmanager
def counting(spent: list[float]) -> Iterator[None]:
    """Adds the seconds of SHA-256 inside to ``spent``."""

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*arguments)
            finally:
                spent.append(time.perf_counter() - start)

        return call

    with (
        mock.patch("hashlib.sha256", timed(hashlib.sha256)),
        mock.patch("hashlib.file_digest", timed(hashlib.file_digest)),
    ):
        yield


def training(folder: Path, rounds: int) -> dict[str, float]:
    """Seconds of a training by Glow's default preset, and the share of SHA-256 in it."""
    totals, shares = [], []
    for number in range(rounds):
        spent: list[float] = []
        with counting(spent):
            out = folder / str(number)
            totals.append(seconds_of(lambda: zoo.train("glow", out=out, steps=300, **QUIETLY)))  # noqa: B023
        shares.append(sum(spent) / totals[-1])
    return {"seconds": statistics.median(totals), "share": statistics.median(shares)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        say("training by the default preset")
        trained = training(Path(folder) / "trained", max(1, options.rounds // 5))
        say("loading a large run")
        loaded = loading(Path(folder) / "large", options.rounds)
    if options.json:
        print(json.dumps({"load": loaded, "train": trained}, indent=2))
        return
    print(
        f"loading {loaded['megabytes']:.0f} MB: {loaded['seconds']:.2f} s, without the hash "
        f"{loaded['seconds_without']:.2f} s, {loaded['extra_seconds']:+.2f} s"
    )
    print(f"training: {trained['seconds']:.1f} s, {trained['share']:.2%} of them SHA-256")


if __name__ == "__main__":
    main()
