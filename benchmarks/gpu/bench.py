"""Speed on an NVIDIA GPU compared with normflows, plain torch and onnxruntime; a test on a CPU.

    python benchmarks/gpu/bench.py --out runs/gpu

Prints two tables and writes bench.json; training.json has the results so far if it is interrupted
between them. measure.py and the JSON state the protocol.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import measure
import peers
import sampling
import torch
import training
from machine import machine
from subjects import FULL, QUICK
from table import tables

from zoo.system.files import write_json


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    quick = options.quick or device.type == "cpu"
    subjects = QUICK if quick else FULL
    seconds = options.seconds or (0.3 if quick else 5.0)
    rate = measure.matrix_rate(device)
    trained = training.rows(subjects, seconds, device, _say)
    options.out.mkdir(parents=True, exist_ok=True)
    write_json(options.out / "training.json", {"machine": machine(), "training": trained})
    sampled = sampling.rows(subjects, quick, seconds, device, _say)
    rate = max(rate, measure.matrix_rate(device))
    for row in trained:
        if "images_per_second" in row:
            row["of_matrix_rate"] = measure.fraction_of_rate(
                row["operations_per_image"], row["images_per_second"], rate
            )
    results = {
        "machine": machine(),
        "quick": quick,
        "seconds": seconds,
        "protocol": measure.PROTOCOL,
        "peers": " ".join((peers.__doc__ or "").split()),
        "sampling_protocol": " ".join((sampling.__doc__ or "").split()),
        "matrix_rate": {
            "operations_per_second": rate,
            "of": str(measure.RATE[device.type]).removeprefix("torch."),
        },
        "training": trained,
        "sampling": sampled,
    }
    write_json(options.out / "bench.json", results)
    (options.out / "training.json").unlink()
    print(f"{tables(results)}\n\nwrote {options.out / 'bench.json'}")
    return 0


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("runs/gpu"), help="folder for bench.json")
    parser.add_argument("--quick", action="store_true", help="small networks, as on a CPU")
    parser.add_argument("--seconds", type=float, help="per measurement; 5 on a GPU")
    return parser


if __name__ == "__main__":
    sys.exit(main())
