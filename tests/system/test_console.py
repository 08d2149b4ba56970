"""Lines of genzoo on the terminal: each stays one, and no text has power over the terminal."""

from __future__ import annotations

import io
import json
import re
import sys

import pytest
from hostile_text import FEW, HOSTILE, TEXT, harmless
from hypothesis import given

from zoo.cli.group import columns, echo_json
from zoo.errors import printable
from zoo.system import progress
from zoo.system.console import echo, say

READABLE = ("cat", "Ångström", "猫", "\U0001f600", "a  b", "C:\\data\\new", "50 %", "")


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def printed(monkeypatch: pytest.MonkeyPatch, stream: str, *lines: str) -> list[str]:
    """Returns what :func:`echo` or :func:`say` prints, as lines."""
    with monkeypatch.context() as patch:
        patch.setattr(sys, stream, file := io.StringIO())
        {"stdout": echo, "stderr": say}[stream](*lines)
    assert file.getvalue().endswith("\n")
    return file.getvalue()[:-1].split("\n")


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@FEW
@given(first=TEXT, second=TEXT)
def test_a_line_stays_one_harmless_line(stream: str, first: str, second: str) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        lines = printed(monkeypatch, stream, f"{first}: {second}", second)
    assert lines == [printable(f"{first}: {second}"), printable(second)]
    assert all(map(harmless, lines))


@FEW
@given(TEXT)
def test_escapes_are_those_of_python_and_stay(text: str) -> None:
    shown = printable(text)
    assert printable(shown) == shown
    if "\\" not in text:
        assert re.sub(r"\\(x..|u....|U.{8}|[nrt])", _character, shown) == text


def _character(match: re.Match[str]) -> str:
    return match[0].encode().decode("unicode_escape")


@pytest.mark.parametrize("text", READABLE)
def test_readable_text_is_printed_as_it_is(text: str) -> None:
    assert printable(text) == text


@FEW
@given(TEXT, TEXT)
def test_a_table_has_a_line_for_each_row(first: str, second: str) -> None:
    rows = columns([(first, "b"), ("c", second), (second, first)])
    assert len(rows) == 3
    assert all(map(harmless, rows))
    assert all("\n" not in row for row in rows)
    start = max(len(printable(first)), 1, len(printable(second))) + 2
    assert [row[start:] for row in rows] == [
        "b",
        printable(second).rstrip(),
        printable(first).rstrip(),
    ]


@FEW
@given(TEXT)
def test_json_has_the_same_text(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", file := io.StringIO())
        echo_json({"name": text, text: [text]})
    assert json.loads(file.getvalue()) == {"name": text, text: [text]}
    assert harmless(file.getvalue())


@pytest.mark.parametrize("text", [*HOSTILE, "[bold]a[/]", ":smile:"])
def test_a_progress_bar_shows_text_without_markup(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(sys, "stderr", file := Terminal())
    bar = progress.progress()
    assert isinstance(bar, progress.Bar)
    bar.say(text)
    assert file.getvalue() == printable(text) + "\n"
    bar.show(text, 1, 2)
    bar.step(0.75, ["a line" * 50, text])
    bar.close()
    codes = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
    shown = codes.sub("", file.getvalue())
    assert " ".join(printable(text).split()) in " ".join(shown.split())
    assert harmless(shown)
    assert "evil.example\x1b" not in file.getvalue()


def test_output_of_another_encoding_has_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.TextIOWrapper(raw := io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", file)
    echo("a 猫")
    assert raw.getvalue() == b"a \\u732b\n"


@pytest.mark.parametrize("text", HOSTILE)
def test_an_error_that_quotes_a_name_is_one_harmless_sentence(text: str, commands) -> None:
    run = f"./{text}/x".replace("\0", "")
    sentence = commands.fails(2, "verify", run)
    assert harmless(sentence)
    result = commands("verify", run, "--debug")
    assert result.err.startswith("Traceback")
    assert result.err.endswith(f"\nzoo: {sentence}\n")
    assert harmless(result.err)
