"""The golden record: hashes that ignore names and order, and comparisons that miss nothing."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from project import ROOT

FOLDER = ROOT / "benchmarks/golden"
MACHINE = {"processor": "A", "torch": "1.0"}


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """The modules of the golden record, by name."""
    monkeypatch.syspath_prepend(FOLDER)
    before = {*sys.modules}
    yield importlib.import_module
    for name in {*sys.modules} - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(FOLDER)):
            del sys.modules[name]


def test_hashes_ignore_order_and_nothing_else(module: Callable[[str], ModuleType]) -> None:
    multiset = module("hashes").multiset
    a, b = np.arange(6, dtype=np.float32), np.ones((2, 3), np.float32)
    assert multiset([a, b]) == multiset([b, a])
    flipped = a.copy()
    flipped.view(np.uint32)[5] ^= 1  # the last bit of one value
    others = [[flipped, b], [a, b, b], [a], [a.reshape(2, 3), b], [a.view(np.int32), b]]
    for other in others:
        assert multiset(other) != multiset([a, b])
    assert multiset([np.array(-0.0)]) != multiset([np.array(0.0)])
    assert multiset([b.T]) == multiset([np.ascontiguousarray(b.T)])


def test_floats_are_found_at_any_depth(module: Callable[[str], ModuleType]) -> None:
    all_floats = module("hashes").all_floats
    assert all_floats({"x": {"error": 2.5, "at": [0, 7]}, "y": [0.5, {"z": 1.5}]}) == [
        0.5,
        1.5,
        2.5,
    ]


def test_every_difference_gets_a_line(module: Callable[[str], ModuleType]) -> None:
    differences = module("hashes").differences
    record = {"a/sample": "x", "a/weights": ["p", "q", "q"], "a/losses": [[0.1], [0.2]], "a/n": 1}
    assert differences(record, dict(record)) == []
    changed = {"a/sample": "y", "a/weights": ["p", "q"], "a/losses": [[0.2], [0.1]], "a/m": 1}
    assert differences(record, changed) == [
        "a/losses: the same values in another order",
        "a/m: not in the record",
        "a/n: only in the record",
        "a/sample: x in the record, now y",
        "a/weights: 1 of 3 values gone, 0 new; the first: q in the record, now none",
    ]


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        (None, "does not exist"),
        ("{", "cannot be read"),
        ({"machine": MACHINE | {"processor": "B"}, "entries": {}}, "with processor B, and this"),
        ({"machine": MACHINE | {"torch": "2.0"}, "entries": {}}, "with torch 2.0, and this"),
    ],
)
def test_a_record_that_does_not_apply_is_refused(
    module: Callable[[str], ModuleType],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    record: object,
    sentence: str,
) -> None:
    path = tmp_path / "record.json"
    if record is not None:
        path.write_text(record if isinstance(record, str) else json.dumps(record), "utf-8")
    with pytest.raises(SystemExit) as stopped:
        module("golden").read(path, MACHINE)
    error = capsys.readouterr().err
    assert stopped.value.code == 2
    assert sentence in error
    assert error.count("\n") == 1


def test_a_change_fails_the_comparison(
    module: Callable[[str], ModuleType],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    golden, path = module("golden"), tmp_path / "record.json"
    values = {"a/sample": "x", "b/loss": [0.1, None]}
    monkeypatch.setattr(golden, "compute", lambda names: dict(values))
    golden.write(path, MACHINE, ["a", "b"])
    assert golden.compare(path, MACHINE, ["a", "b"], whole=True) == 0
    assert "2 entries are equal" in capsys.readouterr().out
    values["b/loss"] = [np.nextafter(0.1, 1), None]
    assert golden.compare(path, MACHINE, ["a", "b"], whole=True) == 1
    assert "b/loss: 1 of 2 values gone" in capsys.readouterr().out
    del values["b/loss"]
    assert golden.compare(path, MACHINE, ["a"], whole=True) == 1, "a case is gone"
    assert golden.compare(path, MACHINE, ["a"], whole=False) == 0
