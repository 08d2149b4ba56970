"""Checks on an NVIDIA GPU: runs the tests that need one and reports what each showed.

    python benchmarks/gpu/checks.py --out runs/gpu

Prints a table, with the numbers that a test measured, and writes checks.json. Exits with 1 where a
test failed, and with 0 where all were skipped for want of a GPU: the table then says so.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from layout import aligned, number
from machine import machine, words

from zoo.system.files import write_json

ROOT = Path(__file__).parents[2]


class Recorder:
    """A plugin of pytest that keeps what each test shows, how it ended and what it measured."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, Any]] = {}

    def pytest_collection_finish(self, session: Any) -> None:
        for item in session.items:
            said = (item.function.__doc__ or item.originalname.replace("_", " ")).strip()
            of = item.name.partition("[")[2].removesuffix("]").removesuffix("cuda").strip("-")
            self.found[item.nodeid] = {
                "test": item.nodeid,
                "shows": " ".join(said.split()),
                "of": of,
                "outcome": "not run",
                "reason": "",
                "seconds": 0.0,
                "measured": {},
            }

    def pytest_runtest_logreport(self, report: Any) -> None:
        one = self.found[report.nodeid]
        one["seconds"] += report.duration
        one["measured"] |= dict(report.user_properties)
        if report.outcome == "passed" and (report.when != "call" or one["outcome"] == "failed"):
            return
        one["outcome"] = report.outcome
        if report.outcome == "skipped":
            one["reason"] = str(report.longrepr[2]).removeprefix("Skipped: ")
        elif report.outcome == "failed":
            crash = getattr(report.longrepr, "reprcrash", None)
            one["reason"] = next(
                iter(str(crash.message if crash else report.longrepr).splitlines())
            )


def main(arguments: Sequence[str] | None = None) -> int:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("runs/gpu"), help="folder for checks.json")
    given = parser.parse_args(arguments)
    import pytest

    recorder = Recorder()
    options = ["-m", "gpu", "-q", "--rootdir", str(ROOT), "-c", str(ROOT / "pyproject.toml")]
    status = int(pytest.main([*options, str(ROOT / "tests")], plugins=[recorder]))
    found = {"machine": machine(), "tests": list(recorder.found.values())}
    given.out.mkdir(parents=True, exist_ok=True)
    write_json(given.out / "checks.json", found)
    print(f"\n{table(found)}\n\nwritten: {given.out / 'checks.json'}")
    return status


def table(found: dict[str, Any]) -> str:
    """A line for each test, or one for all that were skipped for the same reason."""
    tests: list[dict[str, Any]] = found["tests"]
    rows = [("what was shown", "of", "outcome", "s", "measured")]
    reasons = Counter(one["reason"] for one in tests if one["outcome"] == "skipped")
    shown = None
    for one in tests:
        what = one["shows"] if one["shows"] != shown else ""
        shown = one["shows"]
        values = [f"{name} {number(value)}" for name, value in one["measured"].items()]
        told = one["reason"] if one["outcome"] == "failed" else "; ".join(values)
        rows.append((what, one["of"], one["outcome"], f"{one['seconds']:.0f}", told))
    counts = Counter(one["outcome"] for one in tests)
    lines = [*aligned(rows, left=(0, 1, 2, 4)), ""]
    lines.append(", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())))
    lines += [f"skipped, {count}: {reason}" for reason, count in reasons.items()]
    return "\n".join([*lines, words(found["machine"])])


if __name__ == "__main__":
    sys.exit(main())
