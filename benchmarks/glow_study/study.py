"""Figure 3 of the Glow paper at laptop size: permutations, couplings, actnorm.

Trains every configuration with every seed, scores each run on the test split, and writes
results.json, results.md and study.png:

    python benchmarks/glow_study/study.py --data cifar10 --out runs/glow_study

Repeating the command resumes: finished runs are kept, an interrupted one is resumed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from plot import plot
from tables import configuration_name, markdown

import zoo
from zoo.data.names import file_name, name_of
from zoo.errors import Interrupted, UsageError, ZooError
from zoo.runs.folder import CONFIG, RunFolder
from zoo.system.files import replacing, write_json, write_text
from zoo.system.hardware import processor

PERMUTATIONS = ("reverse", "shuffle", "1x1", "lu")
COUPLINGS = ("additive", "affine")
CONFIGURATIONS = [
    *itertools.product(PERMUTATIONS, COUPLINGS, ["data"]),
    ("reverse", "affine", "zero"),
    ("1x1", "affine", "zero"),
]
"""Permutation, coupling and initialization of actnorm."""

RESULTS = "results.json"
RUNS = "runs"


@dataclass(frozen=True)
class Settings:
    """Settings of all runs, stored in results.json: a folder holds one study."""

    data: str = "cifar10"
    size: int = 16
    bits: int = 8
    levels: int = 2
    depth: int = 4
    width: int = 32
    steps: int = 1600
    batch_size: int = 64
    learning_rate: float = 8e-3
    warmup_steps: int = 50
    clip_norm: float = 1.0
    checkpoint_every: int = 80
    seeds: tuple[int, ...] = (0, 1, 2)


QUICK = Settings(
    data="digits",
    size=8,
    bits=4,
    depth=1,
    width=8,
    steps=4,
    batch_size=32,
    warmup_steps=2,
    checkpoint_every=2,
    seeds=(0, 1),
)
"""Tests the study in seconds; its metrics mean nothing."""


def main(arguments: Sequence[str] | None = None) -> int:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported
    options = vars(_parser().parse_args(arguments))
    out, quick = options.pop("out"), options.pop("quick")
    options = {key: value for key, value in options.items() if value is not None}
    settings = replace(QUICK if quick else Settings(), **options)
    try:
        results = study(settings, out)
        text = markdown(results)
        write_text(out / "results.md", text)
        with replacing(out / "study.png") as beside:
            plot(results, beside)
    except (Interrupted, KeyboardInterrupt) as error:
        print("study: stopped; run the same command to resume", file=sys.stderr)
        return error.exit_code if isinstance(error, Interrupted) else 130
    except ZooError as error:
        print(f"study: {error}", file=sys.stderr)
        return error.exit_code
    print(text)
    return 0


def study(settings: Settings, out: Path) -> dict[str, Any]:
    """Trains and scores the runs that ``out`` lacks, and returns its results.json.

    Seeds are the outer loop, so that a temporary slowdown of the machine affects all
    configurations. Raises UsageError if ``out`` holds a study with other settings.
    """
    results = _begun(settings, out)
    data = prepare(settings, out)
    todo = [(seed, which) for seed in settings.seeds for which in CONFIGURATIONS]
    done = {
        (run["permutation"], run["coupling"], run["actnorm"], run["seed"]): run
        for run in results["runs"]
    }
    for number, (seed, which) in enumerate(todo, 1):
        if (*which, seed) in done:
            continue
        run = train_and_score(settings, which, seed, data, out)
        results["runs"].append(run)
        write_json(out / RESULTS, results)
        print(
            f"{number}/{len(todo)}  {configuration_name(run)}, seed {seed}: "
            f"{run['test_bits_per_dim']:.4f} bits/dim, {run['seconds']:.0f} s",
            file=sys.stderr,
            flush=True,
        )
    return results


def prepare(settings: Settings, out: Path) -> Path:
    """Returns a file with all splits at the study's image size, written once."""
    import numpy as np

    from zoo.config.sections import DataConfig
    from zoo.data import open_data

    path = out / f"{file_name(settings.data)}-{settings.size}.npz"
    if not path.exists():
        data = open_data(DataConfig(source=settings.data, size=settings.size))
        arrays: dict[str, Any] = {
            f"{name}_images": np.stack([split[i][0].transpose(1, 2, 0) for i in range(len(split))])
            for name, split in data.splits.items()
        }
        with replacing(path) as beside, open(beside, "wb") as file:
            np.savez(file, **arrays)
    return path


def train_and_score(
    settings: Settings, which: tuple[str, str, str], seed: int, data: Path, out: Path
) -> dict[str, Any]:
    """Returns the entry of a run in results.json; ``which`` is permutation, coupling and
    initialization of actnorm."""
    permutation, coupling, actnorm = which
    folder = out / RUNS / f"{permutation}-{coupling}-{actnorm}-{seed}"
    run = zoo.train(
        "glow",
        data=data,
        config={
            "model.levels": settings.levels,
            "model.depth": settings.depth,
            "model.width": settings.width,
            "model.permutation": permutation,
            "model.coupling": coupling,
            "model.actnorm": actnorm,
            "data.bits": settings.bits,
            "training.learning_rate": settings.learning_rate,
            "training.warmup_steps": settings.warmup_steps,
            "training.decay": "linear",
            "training.clip_norm": settings.clip_norm,
            "training.ema_decay": 0.0,
            "training.checkpoint_every": settings.checkpoint_every,
            "training.validate_every": None,
            "training.keep": "last",
            "training.log_every": min(10, settings.checkpoint_every),
        },
        steps=settings.steps,
        batch_size=settings.batch_size,
        seed=seed,
        precision="fp32",
        out=folder,
        resume=(folder / CONFIG).exists(),
        quiet=True,
    )
    lines = RunFolder(folder).read_metrics()
    started = time.perf_counter()
    metric = run.evaluate(str(data), metrics=("bits_per_dim",))["bits_per_dim"]
    return {
        "permutation": permutation,
        "coupling": coupling,
        "actnorm": actnorm,
        "seed": seed,
        "steps": lines[-1]["step"],
        "seconds": lines[-1]["seconds"],
        "milliseconds_per_step": 1000
        * settings.batch_size
        / statistics.median(line["images_per_second"] for line in lines),
        "parameters": sum(p.numel() for p in run.network.parameters()),
        "test_bits_per_dim": metric.value,
        "test_standard_error": metric.standard_error,
        "test_protocol": str(metric.protocol),
        "test_seconds": round(time.perf_counter() - started, 3),
        "machine": machine(str(run.device)),
        "validation": [
            {
                "step": line["step"],
                "seconds": line["seconds"],
                "bits_per_dim": line["validation_bits_per_dim"],
            }
            for line in lines
            if "validation_bits_per_dim" in line
        ],
    }


def machine(device: str) -> str:
    """Describes the machine of a run."""
    import torch

    if device.startswith("cuda"):
        name = torch.cuda.get_device_name(device)
    else:
        name = f"{processor()}, threads: {torch.get_num_threads()}"
    return f"{name}; torch {torch.__version__}, Python {platform.python_version()}"


def _begun(settings: Settings, out: Path) -> dict[str, Any]:
    """Returns the existing results.json, or a new one."""
    named = replace(settings, data=name_of(settings.data))
    values = json.loads(json.dumps(asdict(named)))  # tuples become lists, as in the file
    path = out / RESULTS
    if path.exists():
        try:
            results: dict[str, Any] = json.loads(path.read_text("utf-8"))
            stored, runs = results["settings"], results["runs"]
        except (ValueError, KeyError, TypeError):
            raise ZooError(f"{path} is damaged: remove it to score its runs again") from None
        # A call that failed before training does not fix the settings.
        if runs or (out / RUNS).exists():
            for key, value in values.items():
                if stored.get(key) != value:
                    raise UsageError(
                        f"{out} holds a study with {key} = {json.dumps(stored.get(key))}, not "
                        f"{json.dumps(value)}: name another --out"
                    )
            return results
    results = {"settings": values, "runs": []}
    write_json(path, results)
    return results


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", help="a source as in zoo train; cifar10")
    parser.add_argument("--out", type=Path, required=True, help="folder for runs and results")
    parser.add_argument("--steps", type=int, help=f"of each run; {Settings.steps}")
    parser.add_argument("--learning-rate", type=float, help=f"{Settings.learning_rate:g}")
    parser.add_argument("--seeds", type=int, nargs="+", help="0 1 2")
    parser.add_argument("--quick", action="store_true", help="digits and a few steps, as a test")
    return parser


if __name__ == "__main__":
    sys.exit(main())
