"""Training steps of ``zoo train``, eager and compiled, beside normflows and a matrix product.

    python benchmarks/step/step.py step      # Glow, L=3, K=8, width 512: seconds and ratios
    python benchmarks/step/step.py first     # its first step, compiled: cold, warm, and by depth
    python benchmarks/step/step.py gains     # what torch.compile saves, of each model

All steps of a table alternate in the rounds of one process. A ratio is the median of those of the
rounds. Each first step is that of a process of its own; ``cold`` has an empty cache of inductor's,
``warm`` the cache that a process left. ``--json FILE`` writes the figures too. The machine should
be idle otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "speed"))

import peers
from measure import wait
from subjects import Subject

from zoo.api import host
from zoo.model import build
from zoo.specs import ImageSpec
from zoo.training.compile_choice import work_of

Call = Callable[[], object]
Row = dict[str, Any]

KEPT = ExitStack()
"""Undoes what compilation did to networks, at the end."""

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
MATRIX = 1024
WARM_UP = 3


def subject(model: str, preset: str, compile: str, **changed: Any) -> Subject:
    return Subject(model, preset, changed={"training.compile": compile, **changed})


def glow(compile: str, options: argparse.Namespace, depth: int | None = None) -> Subject:
    """Glow on 3x32x32 images, with LU 1x1 convolutions as normflows."""
    return subject(
        "glow",
        "cifar10",
        compile,
        **{
            "levels": options.levels,
            "depth": depth or options.depth,
            "width": options.width,
            "permutation": "lu",
            "training.optimizer": "adam",
            "training.ema_decay": 0.0,
        },
    )


def rounds_of(calls: Mapping[str, Call], rounds: int, device: torch.device) -> dict[str, list]:
    """Seconds of each call in each round."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for index in range(WARM_UP + rounds):
        for name, call in calls.items():
            wait(device)
            start = time.perf_counter()
            call()
            wait(device)
            if index >= WARM_UP:
                times[name].append(time.perf_counter() - start)
    return times


def ratio(times: Mapping[str, list[float]], name: str, other: str) -> float:
    pairs = zip(times[name], times[other], strict=True)
    return statistics.median(mine / theirs for mine, theirs in pairs)


def product(dtype: torch.dtype, device: torch.device) -> Call:
    a, b = torch.randn(2, MATRIX, MATRIX, device=device).to(dtype)
    return lambda: torch.mm(a, b)


def step_rows(options: argparse.Namespace, device: torch.device) -> list[Row]:
    """Median seconds of each step, over those of normflows in the same precision and in float32,
    and over those of the eager step."""
    calls: dict[str, Call] = {}
    for precision in options.precisions:
        for name, compile in (("eager", "off"), ("compiled", "on")):
            peer = peers.make("genzoo", glow(compile, options), options.batch, precision, device)
            KEPT.push(peer.resources)
            calls[f"{name} {precision}"] = peer.step
        try:
            peer = peers.make("normflows", glow("off", options), options.batch, precision, device)
            calls[f"normflows {precision}"] = peer.step
        except peers.MissingPackage as error:
            print(f"normflows is {error}", file=sys.stderr)
        calls[f"product {precision}"] = product(PRECISIONS[precision], device)
    times = rounds_of(calls, options.rounds, device)
    rows = []
    for name, seconds in times.items():
        peer, precision = name.split()
        row: Row = {"step": peer, "precision": precision, "seconds": statistics.median(seconds)}
        others = {
            "of normflows": f"normflows {precision}",
            "of normflows fp32": "normflows fp32",
            "of eager": f"eager {precision}",
        }
        for title, other in others.items():
            if peer != "product" and other in times:
                row[title] = ratio(times, name, other)
        rows.append(row)
    return rows


def first_rows(options: argparse.Namespace, device: torch.device) -> list[Row]:
    """Seconds of the first step by depth, cold and warm."""
    rows = []
    for precision in options.precisions:
        for depth in options.depths:
            with tempfile.TemporaryDirectory() as cache:
                cold, warm = (first_step(options, precision, depth, cache) for _ in range(2))
            rows.append({"precision": precision, "K": depth, "cold": cold, "warm": warm})
    return rows


def first_step(options: argparse.Namespace, precision: str, depth: int, cache: str) -> float:
    arguments = {
        "--precision": precision,
        "--depth": depth,
        "--levels": options.levels,
        "--width": options.width,
        "--batch": options.batch,
    }
    return float(in_process(cache, ["one"], arguments, options))


def seconds_of(step: Call, device: torch.device) -> float:
    start = time.perf_counter()
    step()
    wait(device)
    return time.perf_counter() - start


PRESETS = {
    "nice": ("mnist", 100),
    "realnvp": ("cifar10", 16),
    "glow": ("cifar10", 16),
    "vae": ("cifar10", 64),
    "dcgan": ("cifar10", 64),
    "sngan": ("cifar10", 64),
}
"""Preset and batch size of each model in the table of gains."""


def gain_rows(options: argparse.Namespace, device: torch.device) -> list[Row]:
    """For each model and precision: the first step with an empty cache, seconds of a step, those
    for a billion of its work, and the fraction that torch.compile saves."""
    rows = []
    for model in options.models:
        for precision in options.precisions:
            arguments = {"--precision": precision, "--rounds": options.rounds}
            with tempfile.TemporaryDirectory() as cache:
                rows.append(json.loads(in_process(cache, ["gain", model], arguments, options)))
    return rows


def in_process(
    cache: str, command: Sequence[str], arguments: Mapping[str, Any], options: argparse.Namespace
) -> str:
    """The last line of a command of this program with inductor's ``cache``."""
    pairs = {**arguments, "--device": options.device}.items()
    done = subprocess.run(
        [sys.executable, __file__, *command, *(str(part) for pair in pairs for part in pair)],
        env=os.environ | {"TORCHINDUCTOR_CACHE_DIR": cache},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()[-1]


def gain_row(model: str, options: argparse.Namespace, device: torch.device) -> Row:
    preset, batch = PRESETS[model]
    changed = {"depth": 8, "permutation": "lu"} if model == "glow" else {}
    eager, compiled = (subject(model, preset, compile, **changed) for compile in ("off", "on"))
    steps: dict[str, Call] = {}
    for name, chosen in (("eager", eager), ("compiled", compiled)):
        peer = peers.make("genzoo", chosen, batch, options.precision, device)
        KEPT.push(peer.resources)
        steps[name] = peer.step
    seconds_of(steps["eager"], device)
    first = seconds_of(steps["compiled"], device)
    times = rounds_of(steps, options.rounds, device)
    config = eager.config(options.precision, batch)
    channels, size, _ = peers.shape(config)
    image = ImageSpec(channels, size)
    network = build(host().owner(model), config.model, image, device)
    objective = network.objective(config)
    images = batch * objective.batches_per_step
    seconds = statistics.median(times["eager"])
    return {
        "model": model,
        "preset": preset,
        "precision": options.precision,
        "batch": batch,
        "first": first,
        "seconds": seconds,
        "of a billion": seconds / work_of(objective.networks.values(), images, image),
        "saved": 1 - ratio(times, "compiled", "eager"),
    }


def print_table(rows: Sequence[Row]) -> None:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    print("| " + " | ".join(columns) + " |")
    print("|" + "---|" * len(columns))
    for row in rows:
        cells = (row.get(column, "") for column in columns)
        print(
            "| " + " | ".join(f"{c:.3g}" if isinstance(c, float) else str(c) for c in cells) + " |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("table", choices=("step", "first", "gains", "one", "gain"))
    parser.add_argument("model", nargs="?")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--levels", type=int, default=3)
    parser.add_argument("--depth", type=int, default=8)
    parser.add_argument("--depths", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--models", nargs="+", default=list(PRESETS))
    parser.add_argument("--precisions", nargs="+", default=list(PRECISIONS))
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    device = torch.device(options.device)
    if options.table == "one":
        chosen = glow("on", options)
        peer = peers.make("genzoo", chosen, options.batch, options.precision, device)
        KEPT.push(peer.resources)
        print(seconds_of(peer.step, device))
    elif options.table == "gain":
        print(json.dumps(gain_row(options.model, options, device)))
    else:
        tables = {"step": step_rows, "first": first_rows, "gains": gain_rows}
        rows = tables[options.table](options, device)
        print_table(rows)
        if options.json is not None:
            text = {"table": options.table, "torch": torch.__version__, "rows": rows}
            options.json.write_text(json.dumps(text, indent=2) + "\n")


if __name__ == "__main__":
    with KEPT:
        main()
