"""The metadata of a card: YAML between two lines of three hyphens, edited key by key.

huggingface_hub's ``ModelCard`` writes all keys again and loses comments, quotes and layout, so it
cannot keep the bytes of keys that a person wrote.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from zoo.errors import ZooError

MAX_LENGTH = 2**17
"""Maximum characters of the metadata of a card, which YAML reads slowly."""

MAX_VALUES = 10_000
"""Maximum number of values in the metadata of a card, each repeated one counted."""


class DamagedCard(ZooError):
    """An existing card that cannot be read or updated."""


Scalar: TypeAlias = (
    Annotated[str, Field(max_length=1000)] | bool | int | float | datetime.date | None
)
Scalars: TypeAlias = Scalar | Annotated[list[Scalar], Field(max_length=1000)]


class Metadata(BaseModel):
    """The keys of a card that genzoo reads; a person may add any other."""

    model_config = ConfigDict(frozen=True, strict=True, extra="allow")

    license: Scalars = None
    library_name: Scalar = None
    pipeline_tag: Scalar = None
    tags: Scalars = None
    datasets: Scalars = None
    base_model: Scalars = None
    model_index: Annotated[
        list[dict[str, Any]] | None, Field(alias="model-index", max_length=1000)
    ] = None


_FRONT = re.compile(r"\A\s*---[ \t]*\n(?P<front>.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_KEY = re.compile(r"(?P<key>[A-Za-z_][\w.-]*)[ \t]*:(?:\s|$)")


def split(text: str) -> tuple[str, str]:
    """The metadata of a card, empty if it has none, and the text below."""
    match = _FRONT.match(text)
    return (match["front"], text[match.end() :]) if match else ("", text)


def joined(front: str, body: str) -> str:
    """The inverse of :func:`split`."""
    return f"---\n{front}---\n{body}"


def read(front: str) -> dict[str, Any]:
    """Parses metadata. Raises DamagedCard if it is not YAML, or not :class:`Metadata`."""
    import yaml

    if len(front) > MAX_LENGTH:
        raise DamagedCard(
            f"the metadata of the card has over {MAX_LENGTH:,} characters: remove some"
        )
    try:
        loader = yaml.SafeLoader(front)
        # A merge key copies what it refers to before values can be counted, so it is refused.
        loader.flatten_mapping = lambda node: None
        values = loader.get_single_data()
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 2}" if mark else ""
        raise DamagedCard(f"the metadata of the card is not valid YAML{where}: fix it") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise DamagedCard("the metadata of the card is not a mapping: write keys with values")
    if not _fits(values):
        raise DamagedCard(f"the metadata of the card has over {MAX_VALUES:,} values: remove some")
    try:
        Metadata.model_validate(values)
    except ValidationError as error:
        key = str(error.errors(include_url=False)[0]["loc"][0])[:100]
        raise DamagedCard(f"the metadata of the card has a wrong value of {key}: fix it") from None
    return values


def license_of(text: str) -> str | None:
    """License of the weights in a card's metadata, or None if there is none."""
    try:
        license = read(split(text)[0]).get("license")
    except DamagedCard:
        return None
    if isinstance(license, list):  # a few cards list several
        license = ", ".join(map(str, license))
    return str(license) if license else None


def _fits(values: Any) -> bool:
    """Whether there are at most MAX_VALUES: a reference in YAML repeats what it refers to."""
    waiting, count = [values], 0
    while waiting:
        value = waiting.pop()
        inner = [*value.keys(), *value.values()] if isinstance(value, dict) else value
        if isinstance(inner, list | tuple | set):
            count += len(inner)
            if count > MAX_VALUES:
                return False
            waiting += inner
    return True


def edited(front: str, changes: Mapping[str, Any]) -> str:
    """``front`` with the values in ``changes`` that differ; None removes a key.

    Raises DamagedCard like :func:`read`.
    """
    before = read(front)
    changes = {key: value for key, value in changes.items() if before.get(key) != value}
    if not changes:
        return front
    after = {key: value for key, value in (before | changes).items() if value is not None}
    blocks = list(_blocks(front))
    names = [name for name, _ in blocks]
    if any(key in before and names.count(key) != 1 for key in changes):
        return _dumped(after)  # a key in quotes, or in braces
    for key, value in changes.items():
        lines = "" if value is None else _dumped({key: value})
        at = next((i for i, (name, _) in enumerate(blocks) if name == key), len(blocks))
        blocks[at : at + 1] = [(key, lines)]
    text = "".join(lines for _, lines in blocks)
    try:
        return text if read(text) == after else _dumped(after)
    except DamagedCard:
        return _dumped(after)


def _blocks(front: str) -> Iterator[tuple[str, str]]:
    """Top-level keys with their lines; comments between keys have an empty name."""
    name, lines, between = "", "", ""
    for line in front.splitlines(keepends=True):
        if match := _KEY.match(line):
            yield name, lines
            yield "", between
            name, lines, between = match["key"], line, ""
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
