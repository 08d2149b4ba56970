"""Markdown from text that may contain any characters, such as names of data."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

_SPECIAL = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])")
"""Characters with a meaning in Markdown; an underscore inside a word has none."""


def plain(text: str) -> str:
    """``text`` on one line, of printable characters that UTF-8 can encode."""
    one_line = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(one_line.encode("utf-8", "replace").decode().split())


def escaped(text: str) -> str:
    """``text`` on one line, without any meaning in Markdown or HTML."""
    return _SPECIAL.sub(lambda match: f"\\{match[0]}", html.escape(plain(text), quote=False))


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    lines = [f"| {' | '.join(cells)} |" for cells in (header, *rows)]
    return "\n".join([lines[0], f"|{'|'.join(['---'] * len(header))}|", *lines[1:]])


def code(language: str, text: str) -> str:
    """A code block; no line of ``text`` may start with a backtick."""
    return f"```{language}\n{text}\n```"


def literal(text: str) -> str:
    """``text`` as a string in code, in ASCII and without HTML tags."""
    return json.dumps(text).replace("<", "\\u003c")


def as_json(value: Any) -> str:
    """JSON in ASCII without HTML tags."""
    return json.dumps(value, indent=2, allow_nan=False).replace("<", "\\u003c")
