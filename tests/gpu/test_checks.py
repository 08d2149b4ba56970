"""The record of the tests for NVIDIA GPUs."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
from project import ROOT
from scripts import modules_of

HARDWARE = {"device": "cpu", "name": "a CPU", "cores": 1, "threads": 1, "processes": 1}
MACHINE = {"device": "cpu", "gpu": None, "hardware": HARDWARE, "versions": {"torch": "2.0"}}


def test_checks_are_recorded_with_their_measurements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])  # the program adds a folder
    with modules_of(ROOT / "benchmarks/gpu", monkeypatch) as module:
        checks = module("checks")
    recorder = checks.Recorder()

    def of() -> None:
        """The text
        it shows"""

    names = ("a[glow-cuda]", "b[cuda]", "c")
    recorder.pytest_collection_finish(
        SimpleNamespace(
            items=[
                SimpleNamespace(nodeid=name, name=name, function=of, originalname="of")
                for name in names
            ]
        )
    )

    def report(name: str, when: str, outcome: str, **more: Any) -> None:
        values = {"duration": 1.0, "user_properties": [], "longrepr": None} | more
        recorder.pytest_runtest_logreport(
            SimpleNamespace(nodeid=name, when=when, outcome=outcome, **values)
        )

    for when in ("setup", "call", "teardown"):
        report("a[glow-cuda]", when, "passed", user_properties=[("apart", 0.5)])
    report("b[cuda]", "setup", "skipped", longrepr=("file", 1, "Skipped: no GPU"))
    report("c", "setup", "passed")
    report("c", "call", "failed", longrepr="assert 1 == 2\nmore")
    report("c", "teardown", "passed")
    passed, skipped, failed = recorder.tests.values()
    assert (passed["shows"], passed["case"], passed["outcome"]) == (
        "The text it shows",
        "glow",
        "passed",
    )
    assert (passed["measured"], passed["seconds"]) == ({"apart": 0.5}, 3.0)
    assert (skipped["case"], skipped["outcome"], skipped["reason"]) == ("", "skipped", "no GPU")
    assert (failed["outcome"], failed["reason"]) == ("failed", "assert 1 == 2")
    text = checks.table({"machine": MACHINE, "tests": list(recorder.tests.values())})
    assert "1 failed, 1 passed, 1 skipped" in text
    assert "skipped, 1: no GPU" in text
    assert "apart 0.500" in text
