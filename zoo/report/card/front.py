"""The metadata of a card: YAML between two lines of three hyphens, edited key by key.

The text of every key that is not edited stays as it is, with its comments and its order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from zoo.errors import ZooError


class DamagedCard(ZooError):
    """A card that stands there and cannot be read, or not written anew."""


_FRONT = re.compile(r"\A\s*---[ \t]*\n(?P<front>.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_KEY = re.compile(r"(?P<key>[A-Za-z_][\w.-]*)[ \t]*:(?:\s|$)")


def split(text: str) -> tuple[str, str]:
    """The lines of a card's metadata and what follows them; no metadata are an empty text."""
    found = _FRONT.match(text)
    return (found["front"], text[found.end() :]) if found else ("", text)


def joined(front: str, body: str) -> str:
    """What :func:`split` took apart."""
    return f"---\n{front}---\n{body}"


def read(front: str) -> dict[str, Any]:
    """The values of metadata. Raises DamagedCard where they are no YAML, or no keys with values."""
    import yaml

    try:
        values = yaml.safe_load(front)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 2}" if mark else ""
        raise DamagedCard(f"the metadata of the card are no YAML{where}: mend them") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise DamagedCard("the metadata of the card are no keys with values: mend them")
    return values


def edited(front: str, changes: Mapping[str, Any]) -> str:
    """``front`` with the values of ``changes``, where they are others than now; None removes a key.

    Raises DamagedCard like :func:`read`.
    """
    before = read(front)
    wanted = {key: value for key, value in changes.items() if before.get(key) != value}
    if not wanted:
        return front
    after = {key: value for key, value in (before | wanted).items() if value is not None}
    blocks = list(_blocks(front))
    names = [name for name, _ in blocks]
    if any(key in before and names.count(key) != 1 for key in wanted):
        return _dumped(after)  # a key in quotes, or in braces
    for key, value in wanted.items():
        lines = "" if value is None else _dumped({key: value})
        at = next((i for i, (name, _) in enumerate(blocks) if name == key), len(blocks))
        blocks[at : at + 1] = [(key, lines)]
    text = "".join(lines for _, lines in blocks)
    try:
        kept = read(text) == after
    except DamagedCard:
        kept = False
    return text if kept else _dumped(after)


def _blocks(front: str) -> Iterator[tuple[str, str]]:
    """The keys of the first level with their lines; comments between them have no name."""
    name, lines, between = "", "", ""
    for line in front.splitlines(keepends=True):
        if found := _KEY.match(line):
            yield name, lines
            yield "", between
            name, lines, between = found["key"], line, ""
        elif not line.strip() or line.startswith("#"):
            between += line
        else:
            lines, between = lines + between + line, ""
    yield name, lines
    yield "", between


def _dumped(values: Mapping[str, Any]) -> str:
    import yaml

    text: str = yaml.safe_dump(
        dict(values), sort_keys=False, allow_unicode=True, width=float("inf")
    )
    return text
