"""The parts of a card that genzoo writes, between marks that are hidden on the page."""

from __future__ import annotations

import re
from collections.abc import Mapping

NAMES = ("facts", "figures", "use", "graphs")
"""Names in the marks, in the order of the parts if a text does not place them: summary, metrics,
code with genzoo, ONNX graphs."""

REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9._-]+")
"""``user/repo``, the name of a model on the Hub."""

_END = "<!-- zoo: end -->"
_PART = re.compile(
    rf"<!-- zoo: (?P<name>{'|'.join(NAMES)})(?: of (?P<repository>{REPOSITORY.pattern}))?"
    rf" \([^)\n]{{0,80}}\) -->(?:(?!<!-- zoo: ).)*{_END}",
    re.DOTALL,
)
"""A part contains no mark: if one of its two is lost, it does not extend to those of another."""


def marked(name: str, body: str, repository: str | None = None) -> str:
    """``body`` as the part ``name``, whose mark keeps ``repository``."""
    of = f" of {repository}" if repository else ""
    begin = f"<!-- zoo: {name}{of} (written by zoo card, up to the end mark) -->"
    return f"{begin}\n\n{body}\n\n{_END}" if body else f"{begin}\n{_END}"


def replaced(text: str, parts: Mapping[str, str]) -> str:
    """``text`` with each part of ``parts`` replaced, where it occurs; values are marked already."""
    return _PART.sub(lambda match: parts.get(match["name"], match[0]), text)


def names_in(text: str) -> set[str]:
    """Names of the parts in ``text``."""
    return {match["name"] for match in _PART.finditer(text)}


def repository_in(text: str) -> str | None:
    """The repository in the marks of ``text``."""
    repositories = (match["repository"] for match in _PART.finditer(text))
    return next((repository for repository in repositories if repository), None)
