"""Tables of commands: aligned, and in a terminal as wide as it is."""

from __future__ import annotations

import re

import pytest

from zoo.cli.group import columns


def test_columns_are_aligned_without_trailing_blanks() -> None:
    assert columns([("a", "bb", ""), ("ccc", "d", "e")]) == ["a    bb", "ccc  d   e"]
    assert columns([]) == []


def test_cells_wrap_between_words_to_the_width_of_the_terminal() -> None:
    rows = [("NAME", "IMPORT TIME", "TITLE"), ("glow", "12 ms", "flows with 1x1 convolutions")]
    assert columns(rows, width=80) == columns(rows)
    assert columns(rows, width=34) == [
        "NAME  IMPORT TIME  TITLE",
        "glow  12 ms        flows with 1x1",
        "                   convolutions",
    ]
    assert columns(rows, width=26) == [
        "NAME  IMPORT  TITLE",
        "      TIME",
        "glow  12 ms   flows with",
        "              1x1",
        "              convolutions",
    ]
    assert columns([("a", "x" * 30), ("b", "y z")], width=10) == [f"a  {'x' * 30}", "b  y z"]


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("arguments", [["list"], ["plugins"], ["show", "glow"]])
def test_tables_fit_the_terminal(
    commands, monkeypatch: pytest.MonkeyPatch, arguments: list[str], width: int
) -> None:
    piped = commands(*arguments).out
    for module in ("zoo.cli.group", "zoo.cli.show"):
        monkeypatch.setattr(f"{module}.terminal_width", lambda: width)
    shown = commands(*arguments).out
    if arguments[0] == "show":
        shown, piped = shown.partition("\nplugin: ")[2], piped.partition("\nplugin: ")[2]
        keys = [line.split()[0] for line in piped.splitlines() if re.match(r"\w+\.\w+ ", line)]
        assert [line for line in shown.splitlines() if re.match(r"\w+\.\w+$", line)] == keys
    else:
        assert sorted(shown.split()) == sorted(piped.split())
    assert max(map(len, shown.splitlines())) <= width
