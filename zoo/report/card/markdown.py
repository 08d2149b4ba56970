"""Markdown from text that may contain any characters, such as names of data."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from zoo.errors import printable

_SPECIAL = re.compile(
    r"[\\`*\[\]|~$@]"
    r"|(?<![^\W_])_|_(?![^\W_])"  # one inside a word has no meaning
    r"|^[+-](?= |$)|^-(?=[- ]*$)|^=(?==*$)|^[0-9]+[.)](?= |$)|(?<!\S)#"
    r"|:(?=//)|(?<=[wW]{3})\."  # the Hub makes links of addresses
)
"""Text whose last character has a meaning in Markdown."""


def plain(text: str) -> str:
    """``text`` on one line, of printable characters that UTF-8 can encode."""
    one_line = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(one_line.encode("utf-8", "replace").decode().split())


def escaped(text: str) -> str:
    """``text`` on one line, without any meaning in Markdown or HTML."""
    return _SPECIAL.sub(
        lambda match: f"{match[0][:-1]}\\{match[0][-1]}", html.escape(plain(text), quote=False)
    )


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    lines = [f"| {' | '.join(cells)} |" for cells in (header, *rows)]
    return "\n".join([lines[0], f"|{'|'.join(['---'] * len(header))}|", *lines[1:]])


def code(language: str, text: str) -> str:
    """A code block; no line of ``text`` may start with a backtick."""
    return f"```{language}\n{text}\n```"


def literal(text: str) -> str:
    """``text`` as a string in Python, without HTML tags."""
    return comment(json.dumps(text, ensure_ascii=False))


def comment(text: str) -> str:
    """``text`` for a comment in code, on one line and without HTML tags."""
    return printable(text).replace("<", "\\u003c")


def as_json(value: Any) -> str:
    """JSON in ASCII without HTML tags."""
    text = json.dumps(value, indent=2, allow_nan=False)
    return text.replace("<", "\\u003c").replace("\x7f", "\\u007f")
