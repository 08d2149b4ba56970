"""Text of others inside Markdown: a name of data may have any character in it."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

_SPECIAL = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])")
"""What Markdown reads as more than itself; an underscore inside a word it does not."""


def plain(text: str) -> str:
    """``text`` on one line, of characters that a file can hold."""
    one_line = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(one_line.encode("utf-8", "replace").decode().split())


def escaped(text: str) -> str:
    """``text`` as words of one line, whatever Markdown or HTML stands in it."""
    return _SPECIAL.sub(lambda found: f"\\{found[0]}", html.escape(plain(text), quote=False))


def table(header: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> str:
    """A table of cells that are Markdown already; columns of ``right`` are aligned there."""
    rule = ["--:" if column in right else "---" for column in range(len(header))]
    lines = [f"| {' | '.join(cells)} |" for cells in (header, *rows)]
    return "\n".join([lines[0], f"|{'|'.join(rule)}|", *lines[1:]])


def code(language: str, text: str) -> str:
    """A block of code; no line of ``text`` may begin with a backtick."""
    return f"```{language}\n{text}\n```"


def as_json(value: Any) -> str:
    """JSON in ASCII that has no mark of HTML in it."""
    return json.dumps(value, indent=2, allow_nan=False).replace("<", "\\u003c")
