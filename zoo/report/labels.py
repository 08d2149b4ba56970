"""Text in plots, where names of metrics and data may come from a stranger."""

from __future__ import annotations

from zoo.errors import printable


def literal(text: str) -> str:
    """Returns ``text`` as a label of matplotlib: on one line, and without formulas."""
    return printable(text).replace("$", r"\$")
