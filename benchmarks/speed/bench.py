"""Speed and memory of training and sampling beside other libraries, on a CPU or a GPU.

    python benchmarks/speed/bench.py --out runs/bench
    python benchmarks/speed/bench.py --out runs/bench --only training/glow --rounds 50

Prints a table and writes bench.json, bench.md, bench.csv and bench.png into the folder. Each row is
measured in a process of its own; rows of bench.json are not measured again without ``--again``.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import plan
from machine import slug
from plan import Row
from results import File, write_csv
from table import markdown, text_tables

from zoo.errors import ZooError
from zoo.system.files import write_text

SCRIPT = Path(__file__).with_name("row.py")

TIMEOUT = 1200.0
"""Maximum seconds of a row."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return run(options)
    except ZooError as error:
        _say(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        _say("stopped; the same command continues with the rows that are left")
        return 130


def run(options: argparse.Namespace) -> int:
    device = options.device
    _say("looking at the machine")
    machine = measure("machine", device)
    if "failed" in machine:
        raise ZooError(f"the machine cannot be measured: {machine['failed']}")
    file = File(options.out, machine, options.quick)
    precisions = precisions_of(machine, options.precisions)
    rows = plan.rows(machine["device"], precisions, machine["can_compile"], options.quick)
    rows = [row for row in rows if matches(row, options.only)]
    if not rows:
        raise ZooError(f"--only {options.only}: no row has such a name; see --list")
    if options.rounds:
        rows = [replace(row, rounds=options.rounds, seconds=1e9) for row in rows]
    if options.list:
        print("\n".join(row.key for row in rows))
        return 0
    todo = [row for row in rows if options.again or row.key not in file.rows]
    measure_all(todo, file, machine["device"])
    publish(file.values, options.out / "bench")
    if options.publish is not None:
        publish(file.values, options.publish / slug(machine))
    print(f"{text_tables(file.values)}\n\nwrote {file.path}")
    return 0


def measure_all(rows: Sequence[Row], file: File, device: str) -> None:
    """Measures ``rows``, with an estimate of the time that is left."""
    spent = expected = 60.0  # so that the first rows change the estimate little
    for index, row in enumerate(rows):
        left = sum(row.estimate for row in rows[index:]) * spent / expected
        _say(f"{index + 1}/{len(rows)}  {row.key}  (about {_minutes(left)} left)")
        start = time.perf_counter()
        result = measure(json.dumps(row.as_json()), device)
        if "failed" in result:
            _say(f"{row.key}: {result['failed']}")
        spent += time.perf_counter() - start
        expected += row.estimate
        file.add(row, result)


def measure(text: str, device: str, command: Sequence[str] = ()) -> dict[str, Any]:
    """The result of a row's process, or ``{"failed": reason}`` if it crashed."""
    command = [*(command or [sys.executable, str(SCRIPT)]), text, device]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        return {"failed": f"took longer than {TIMEOUT:.0f} s"}
    if done.returncode == 0:
        result: dict[str, Any] = json.loads(done.stdout)
        return result
    if done.returncode == -signal.SIGKILL:
        return {"failed": "killed, most likely because it ran out of memory"}
    lines = done.stderr.strip().splitlines()
    return {"failed": lines[-1] if lines else f"exit status {done.returncode}"}


def precisions_of(machine: dict[str, Any], chosen: str | None) -> tuple[str, ...]:
    """The precisions to measure: those ``chosen``, else all that the processor computes in."""
    if chosen:
        return tuple(chosen.split(","))
    rates = machine["product_flops"]
    fast = machine["device"] == "cuda" or rates["bf16"] >= plan.MIN_BF16 * rates["fp32"]
    return ("fp32", "bf16") if fast else ("fp32",)


def matches(row: Row, pattern: str | None) -> bool:
    """Whether the row's key has ``pattern``: a part of it, or shell wildcards."""
    key = row.key.replace(" / ", "/")
    return pattern is None or fnmatch.fnmatch(key, f"*{pattern}*")


def publish(results: dict[str, Any], path: Path) -> None:
    """Writes tables, CSV and plot beside ``path``."""
    from plot import save_plot

    write_text(path.with_name(f"{path.name}.md"), markdown(results))
    write_csv(path.with_name(f"{path.name}.csv"), results)
    save_plot(path.with_name(f"{path.name}.png"), results)


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="folder of results")
    parser.add_argument("--only", metavar="PATTERN", help="rows whose name has this part")
    parser.add_argument("--rounds", type=int, metavar="N", help="exactly N rounds of each row")
    parser.add_argument("--precisions", metavar="P", help="default: fp32, and bf16 if not emulated")
    parser.add_argument("--quick", action="store_true", help="small networks, as a test")
    parser.add_argument("--again", action="store_true", help="measure rows that have results")
    parser.add_argument("--list", action="store_true", help="print the names of the rows")
    parser.add_argument("--device", default=_default_device(), help="cuda or cpu")
    parser.add_argument("--publish", type=Path, metavar="DIR", help="copy, named by the device")
    return parser


def _default_device() -> str:
    import shutil

    return "cuda" if shutil.which("nvidia-smi") else "cpu"


if __name__ == "__main__":
    sys.exit(main())
