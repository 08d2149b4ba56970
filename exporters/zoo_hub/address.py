"""Names of repositories on the Hub: ``user/repo`` and ``user/repo@revision``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import UsageError
from zoo.runs.sources import split

_PART = r"(?!.*(?:--|\.\.))[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?"
_NAME = re.compile(rf"{_PART}/{_PART}")


@dataclass(frozen=True)
class Address:
    """A repository at a branch, tag or commit; a revision of None is the main branch."""

    repository: str
    revision: str | None = None

    def __str__(self) -> str:
        return self.repository + (f"@{self.revision}" if self.revision else "")


def is_repository(name: str) -> bool:
    """Whether ``name`` is valid on the Hub: two parts of letters, digits, ``-``, ``_``, ``.``.

    As huggingface_hub's ``validate_repo_id``, whose import would delay the error for a mistyped
    path.
    """
    return _NAME.fullmatch(name) is not None


def address_of(target: str | Path, revision: str | None = None) -> Address:
    """Parses ``user/repo`` or ``user/repo@revision``. Raises UsageError if it is not valid."""
    name, revision = split(target, revision)
    if not is_repository(name):
        raise UsageError(f"{target!s} is not a Hub repository: name one as user/repo")
    return Address(name, revision)
