"""Fine-tuning from MNIST to Fashion-MNIST against a cold start of as many steps.

    python benchmarks/fine_tuning/fine_tuning.py --out runs/fine_tuning

For each model and seed, one run is trained on MNIST; then, for each number of steps, one run on
Fashion-MNIST starts from it and one from random weights, with the same settings, images and order.
Writes results.json and results.md, with the test bits per dimension of both. Repeating the command
goes on where it stopped.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import zoo
from zoo.runs.folder import CONFIG
from zoo.system.files import write_json, write_text

MODELS = ("glow", "vae")
PRESET = "mnist"
HEADER = ("model", "steps", "cold start", "fine-tuned", "difference")


def main(arguments: Sequence[str] | None = None) -> None:
    options = parsed(arguments)
    rows = []
    for model, seed in itertools.product(options.models, options.seeds):
        base = options.out / f"{model}-{seed}"
        training = {"preset": PRESET, "seed": seed, "device": options.device}
        parent = trained(
            model, base / "parent", data=options.parent, steps=options.first, **training
        )
        for steps in options.steps:
            common = {"data": options.data, "steps": steps, **training}
            for kind, start in (("cold", {}), ("tuned", {"from_": parent.path})):
                run = trained(model, base / f"{kind}-{steps}", **common, **start)
                bits = run.evaluate(metrics=["bits_per_dim"])["bits_per_dim"].value
                row = {"model": model, "seed": seed, "steps": steps, "start": kind, "bits": bits}
                rows.append(row)
                print(json.dumps(row), flush=True)
    settings = {key: str(options.__dict__[key]) for key in ("parent", "data", "first")}
    write_json(options.out / "results.json", {"settings": settings, "rows": rows})
    write_text(options.out / "results.md", table(rows))
    print(table(rows))


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--steps", nargs="+", type=int, default=[100, 500, 2000])
    parser.add_argument("--first", type=int, default=2000, help="steps of the parent")
    parser.add_argument("--parent", default="mnist", help="data of the parent")
    parser.add_argument("--data", default="fashion_mnist")
    parser.add_argument("--device", default="auto")
    return parser.parse_args(arguments)


def trained(model: str, out: Path, **arguments: Any) -> zoo.Run:
    """Returns the run in ``out``, trained now, resumed or finished already."""
    resume = (out / CONFIG).exists()
    if resume:
        arguments = {key: arguments[key] for key in ("device", "steps")}
    return zoo.train(model, out=out, resume=resume, quiet=True, **arguments)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Mean and standard deviation over the seeds, in Markdown; the difference is by seed."""
    lines = [f"| {' | '.join(HEADER)} |", f"|{'---|' * len(HEADER)}"]
    for model, steps in dict.fromkeys((row["model"], row["steps"]) for row in rows):
        cold, tuned = (
            [
                row["bits"]
                for row in rows
                if (row["model"], row["steps"], row["start"]) == (model, steps, start)
            ]
            for start in ("cold", "tuned")
        )
        differences = [after - before for before, after in zip(cold, tuned, strict=True)]
        cells = (model, str(steps), *map(spread, (cold, tuned, differences)))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def spread(values: Sequence[float]) -> str:
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.3f} ± {deviation:.3f}"


if __name__ == "__main__":
    main()
