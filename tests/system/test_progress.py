"""The progress bar in terminals of several widths."""

from __future__ import annotations

import io
import re
import sys

import pytest

from zoo.system.progress import Bar
from zoo.training.status import Status

METRICS = {"bits_per_dim": 2.5, "validation_bits_per_dim": 2.625, "penalty": 0.125}
STATUS = Status(1500, METRICS, 4829, 200)


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def last_line(monkeypatch: pytest.MonkeyPatch, width: int, forms: list[str]) -> str:
    """Returns the bar's line as a terminal of ``width`` shows it."""
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(sys, "stderr", file := Terminal())
    bar = Bar()
    bar.step(0.5, forms)
    bar._bar.refresh()
    line = file.getvalue().rpartition("\x1b[2K")[2]
    bar.close()
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line).strip("\r\n")


@pytest.mark.parametrize("width", [30, 40, 60, 80, 100, 140])
def test_bar_and_percentage_stay_and_metrics_go_first(
    monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    line = last_line(monkeypatch, width, STATUS.forms())
    assert "\n" not in line
    assert len(line) <= width
    assert re.match(r"[━╸╺ ]{10}  50% step 1500", line), line
    assert ("penalty 0.125" in line) == (width >= 140)
    assert ("bits per dim 2.500" in line) == (width >= 80)
    assert ("4829 images/s" in line) == (width >= 60)
    assert ("3 min 20 s left" in line) == (width >= 60)


def test_a_long_task_is_cut_and_not_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    line = last_line(monkeypatch, 40, ["measuring the largest error of a round trip"])
    assert re.fullmatch(r"[━╸╺ ]{10}  50% measuring the largest e…", line.rstrip()), line


def test_lines_above_the_bar_wrap_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setattr(sys, "stderr", file := Terminal())
    path = "/a/path/that/is/longer/than/the/terminal"
    Bar().say(f"step 500  loss 1.983  kl 6.045  81 images/s  {path}")
    lines = [line.rstrip() for line in file.getvalue().splitlines()]
    assert lines == ["step 500  loss 1.983  kl 6.045", "81 images/s", path]


def test_forms_are_ever_shorter_without_repetition() -> None:
    for metrics in ({}, {"loss": 1.0}, METRICS):
        forms = Status(20, metrics, 10, 5).forms()
        assert [len(form) for form in forms] == sorted({len(form) for form in forms}, reverse=True)
        assert forms[-1] == "step 20"
    assert forms[0].count("  ") == 5
