"""The golden record: what every model computes, to the last bit, before and after a change.

    python benchmarks/golden/golden.py write
    python benchmarks/golden/golden.py compare

A record holds for one processor and one version of torch; by default it lies in runs/golden.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from hashes import differences

ROOT = Path(__file__).resolve().parents[2]
RECORDS = ROOT / "runs/golden"
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
"""Sums in one order: set before torch is imported."""


def machine() -> dict[str, str]:
    """The environment that the numbers depend on beside genzoo: the processor and the libraries."""
    import surface

    return {"processor": surface.processor(), **surface.versions()}


def record_path(described: dict[str, str], folder: Path = RECORDS) -> Path:
    """The default record of a machine."""
    key = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:8]
    return folder / f"{key}.json"


def compute(names: Iterable[str]) -> dict[str, Any]:
    """The entries of the named cases, by ``case/what``."""
    from cases import entries

    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="golden-") as folder:
        for name in names:
            start = time.perf_counter()
            for what, value in entries(name, Path(folder) / name):
                found[f"{name}/{what}"] = value
            print(f"{name}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    return found


def read(path: Path, described: dict[str, str]) -> dict[str, Any]:
    """The entries of a record; exits with a sentence where it is missing or another machine's."""
    try:
        record = json.loads(path.read_text("utf-8"))
        written, found = record["machine"], record["entries"]
    except FileNotFoundError:
        _fail(f"{path} does not exist: run golden.py write at the commit to compare with")
    except (OSError, ValueError, KeyError, TypeError) as error:
        _fail(f"{path} cannot be read ({error!r}): write it again")
    for key, value in described.items():
        if (other := written.get(key)) != value:
            _fail(f"{path} was written with {key} {other}, and this machine has {value}")
    return found


def write(path: Path, described: dict[str, str], names: Iterable[str]) -> int:
    record = {"machine": described, "entries": compute(names)}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    print(f"{len(record['entries'])} entries written to {path}")
    return 0


def compare(path: Path, described: dict[str, str], names: Sequence[str], whole: bool) -> int:
    before = {
        name: value
        for name, value in read(path, described).items()
        if whole or name.partition("/")[0] in names
    }
    after = json.loads(json.dumps(compute(names)))
    lines = differences(before, after)
    for line in lines:
        print(line)
    if lines:
        print(f"{len(lines)} of {len({*before, *after})} entries differ from {path}")
        return 1
    print(f"{len(after)} entries are equal to those of {path}")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Write or compare the golden record.")
    parser.add_argument("action", choices=("write", "compare"))
    parser.add_argument("--record", type=Path, help="the record; runs/golden/KEY.json otherwise")
    parser.add_argument("--only", help="cases to compare, with commas; all otherwise")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="golden-cache-") as cache:
        os.environ.update(ONE_THREAD | OFFLINE | {"XDG_CACHE_HOME": cache})
        from cases import CASES

        names = list(CASES) if options.only is None else options.only.split(",")
        if unknown := [name for name in names if name not in CASES]:
            _fail(f"--only {unknown[0]}: the cases are {', '.join(CASES)}")
        if options.action == "write" and options.only is not None:
            _fail("--only is for compare: a record has every case")
        described = machine()
        path = options.record or record_path(described)
        if options.action == "write":
            return write(path, described, names)
        return compare(path, described, names, whole=options.only is None)


def _fail(sentence: str) -> NoReturn:
    print(f"golden.py: {sentence}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    sys.exit(main())
