"""Runs the tests that need an NVIDIA GPU, and reports what each one shows.

    python benchmarks/gpu/checks.py --out runs/gpu

Prints a table with the numbers that tests measured, and writes checks.json. Exits with 1 if a test
failed, and with 0 if all were skipped without a GPU, which the table then states.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "speed"))

from layout import aligned, number
from machine import describe, machine

from zoo.system.files import write_json

ROOT = Path(__file__).parents[2]


class Recorder:
    """A pytest plugin that records what each test shows, its outcome and its measurements."""

    def __init__(self) -> None:
        self.tests: dict[str, dict[str, Any]] = {}

    def pytest_collection_finish(self, session: Any) -> None:
        for item in session.items:
            text = (item.function.__doc__ or item.originalname.replace("_", " ")).strip()
            case = item.name.partition("[")[2].removesuffix("]").removesuffix("cuda").strip("-")
            self.tests[item.nodeid] = {
                "test": item.nodeid,
                "shows": " ".join(text.split()),
                "case": case,
                "outcome": "not run",
                "reason": "",
                "seconds": 0.0,
                "measured": {},
            }

    def pytest_runtest_logreport(self, report: Any) -> None:
        test = self.tests[report.nodeid]
        test["seconds"] += report.duration
        test["measured"] |= dict(report.user_properties)
        if report.outcome == "passed" and (report.when != "call" or test["outcome"] == "failed"):
            return
        test["outcome"] = report.outcome
        if report.outcome == "skipped":
            test["reason"] = str(report.longrepr[2]).removeprefix("Skipped: ")
        elif report.outcome == "failed":
            crash = getattr(report.longrepr, "reprcrash", None)
            test["reason"] = next(
                iter(str(crash.message if crash else report.longrepr).splitlines())
            )


def main(arguments: Sequence[str] | None = None) -> int:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("runs/gpu"), help="folder for checks.json")
    options = parser.parse_args(arguments)
    import pytest

    recorder = Recorder()
    pytest_options = ["-m", "gpu", "-q", "--rootdir", str(ROOT), "-c", str(ROOT / "pyproject.toml")]
    status = int(pytest.main([*pytest_options, str(ROOT / "tests")], plugins=[recorder]))
    results = {"machine": machine(), "tests": list(recorder.tests.values())}
    options.out.mkdir(parents=True, exist_ok=True)
    write_json(options.out / "checks.json", results)
    print(f"\n{table(results)}\n\nwrote {options.out / 'checks.json'}")
    return status


def table(results: dict[str, Any]) -> str:
    """One line per test, and one per reason of skipped tests."""
    tests: list[dict[str, Any]] = results["tests"]
    rows = [("shown", "case", "outcome", "s", "measured")]
    reasons = Counter(test["reason"] for test in tests if test["outcome"] == "skipped")
    previous = None
    for test in tests:
        shown = test["shows"] if test["shows"] != previous else ""
        previous = test["shows"]
        values = [f"{name} {number(value)}" for name, value in test["measured"].items()]
        text = test["reason"] if test["outcome"] == "failed" else "; ".join(values)
        rows.append((shown, test["case"], test["outcome"], f"{test['seconds']:.0f}", text))
    counts = Counter(test["outcome"] for test in tests)
    lines = [*aligned(rows, left=(0, 1, 2, 4)), ""]
    lines.append(", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())))
    lines += [f"skipped, {count}: {reason}" for reason, count in reasons.items()]
    return "\n".join([*lines, describe(results["machine"])])


if __name__ == "__main__":
    sys.exit(main())
