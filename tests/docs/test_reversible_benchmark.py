"""The benchmark of reversible memory runs, at a small size."""

import sys

import pytest
from project import ROOT

SMALL = ["--depths", "1", "--width", "4", "--batch", "2", "--precisions", "fp32"]


@pytest.mark.parametrize("table", ["memory", "time", "drift"])
def test_a_table_has_a_row_for_each_measurement(
    table: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if table == "memory" and sys.platform != "linux":
        pytest.skip("reads /proc")
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks/reversible"))
    import reversible

    monkeypatch.setattr(reversible, "keep_freed_memory", lambda: None)
    rounds = ["--rounds", "1", "--memories", "reversible"]
    monkeypatch.setattr(sys, "argv", ["reversible.py", table, *SMALL, *rounds])
    reversible.main()
    header, row = capsys.readouterr().out.splitlines()
    assert header.split()[0] in ("memory", "precision")
    assert "fp32" in row
    assert "out of memory" not in row
