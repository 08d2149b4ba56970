"""The benchmark of reversible memory's drift runs, at a small size."""

import sys

import pytest
from project import ROOT
from scripts import modules_of

SMALL = ["--depths", "1", "--width", "4", "--batch", "2", "--precisions", "fp32"]


def test_the_table_has_a_row_for_each_measurement(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["reversible.py", *SMALL])
    with modules_of(ROOT / "benchmarks/reversible", monkeypatch) as module:
        module("reversible").main()
    header, row = capsys.readouterr().out.splitlines()
    assert header.split()[0] == "precision"
    assert row.split()[:2] == ["fp32", "1"]
    assert float(row.split()[2]) < 1e-4
