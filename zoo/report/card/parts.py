"""The parts of a card that are genzoo's, between marks that a reader does not see."""

from __future__ import annotations

import re
from collections.abc import Mapping

NAMES = ("facts", "figures", "use", "graphs")
"""The parts, in the order in which they stand where a text does not place them."""

REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9._-]+")
"""``user/repo``, a model's name on the Hub."""

_END = "<!-- zoo: end -->"
_PART = re.compile(
    rf"<!-- zoo: (?P<name>{'|'.join(NAMES)})(?: of (?P<repository>{REPOSITORY.pattern}))?"
    rf" \([^)]*\) -->(?:(?!<!-- zoo: ).)*{_END}",
    re.DOTALL,
)
"""A part has no mark inside: where one of its two is gone, it does not reach to another's."""


def marked(name: str, body: str, repository: str | None = None) -> str:
    """``body`` as the part ``name``; ``repository`` is kept in its mark."""
    of = f" of {repository}" if repository else ""
    begin = f"<!-- zoo: {name}{of} (zoo card writes anew what stands from here to the end) -->"
    return f"{begin}\n\n{body}\n\n{_END}" if body else f"{begin}\n{_END}"


def replaced(text: str, parts: Mapping[str, str]) -> str:
    """``text`` with each of ``parts``, marked by :func:`marked`, in the place of that name; a part
    that has no place in it is left out."""
    return _PART.sub(lambda found: parts.get(found["name"], found[0]), text)


def names_in(text: str) -> set[str]:
    """The parts that have a place in ``text``."""
    return {found["name"] for found in _PART.finditer(text)}


def repository_in(text: str) -> str | None:
    """The repository that the parts of ``text`` speak of."""
    named = (found["repository"] for found in _PART.finditer(text))
    return next((one for one in named if one), None)
