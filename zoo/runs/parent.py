"""The parent of a fine-tuned run: the run whose weights it starts from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from zoo.errors import UsageError
from zoo.runs.folder import WEIGHTS
from zoo.runs.sources import split
from zoo.runs.state import Damaged, Digest, Record, parse_record
from zoo.runs.stored import StoredRun
from zoo.system.files import sha256_of

KEY = "parent"
"""The key of config.json."""

_COMMIT = re.compile(r"[0-9a-f]{40}")
_REPOSITORY = re.compile(rf"(?P<repository>[\w.-]+/[\w.-]+)@{_COMMIT.pattern}")

Text = Annotated[str, Field(max_length=2**12)]


class Parent(Record):
    """``parent`` of a config.json: ``source`` is ``user/repo@commit``, another name of weights,
    or a folder, relative to the working directory or by its last component.

    ``weights`` is the SHA-256 of the file that was loaded. ``data`` names the parent's data,
    ``data_license`` their license, ``license`` that of its card. ``left_out`` names the tensors of
    the network and of the file that did not fit.
    """

    source: Text
    model: Text
    weights: Digest
    data: Text
    data_license: Text | None = None
    license: Text | None = None
    left_out: list[Text] = Field(default_factory=list)

    @property
    def repository(self) -> str | None:
        """``user/repo`` of a parent on the Hub."""
        match = _REPOSITORY.fullmatch(self.source)
        return match["repository"] if match else None


def parent_of(stored: StoredRun, license: str | None = None) -> Parent:
    """Returns the record of a run that another one starts from."""
    summary = stored.document.get("summary")
    data_license = summary.get("data_license") if isinstance(summary, dict) else None
    return Parent(
        source=_source(stored),
        model=stored.name,
        weights=sha256_of(stored.path / WEIGHTS),
        data=stored.config.data.source[: 2**12],
        data_license=data_license[: 2**12] if isinstance(data_license, str) else None,
        license=license,
    )


def read_parent(document: Mapping[str, Any]) -> Parent | None:
    """Returns the parent in a config.json; None without one, and for a damaged one, which the hash
    of the file tells of."""
    if KEY not in document:
        return None
    try:
        return parse_record(document[KEY], Parent, KEY)
    except Damaged:
        return None


def full_source(stored: StoredRun) -> str:
    """Returns what :func:`parent_of` calls ``source``, with the whole path of a folder."""
    return _source(stored) if stored.source else str(stored.path.resolve())


def check_model(stored: StoredRun, model: str) -> None:
    """Raises UsageError for a parent of another model."""
    if stored.name != model:
        raise UsageError(
            f"{stored.source or stored.path} is a run of {stored.name}, not of {model}: fine-tune "
            f"it with zoo train {stored.name}"
        )


def _source(stored: StoredRun) -> str:
    """A folder is named without its place outside the working directory: config.json is pushed."""
    if stored.source is None:
        path = stored.path.resolve()
        here = Path.cwd()
        return path.relative_to(here).as_posix() if path.is_relative_to(here) else path.name
    commit = stored.path.name  # of the cache of the Hub
    if _COMMIT.fullmatch(commit):
        return f"{split(stored.source)[0]}@{commit}"
    return stored.source
