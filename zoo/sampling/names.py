"""Names of classes: their order, how they are found, and how they are listed in messages."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Sequence

_INTEGER = re.compile(r"-?[0-9]{1,18}", re.ASCII)

LISTED = 10
"""Maximum number of classes that a message lists."""

_COMPARED = 10_000
"""Maximum number of names that a wrong one is compared with."""


def integers(names: Collection[str]) -> bool:
    """Whether all names are integers, such as those of digits."""
    return all(_INTEGER.fullmatch(name) for name in names)


def in_natural_order(names: Collection[str]) -> tuple[str, ...]:
    """Returns the names in order: by value if all are integers, else alphabetical."""
    if integers(names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))


def find(label: str | int, names: Sequence[str]) -> int | None:
    """Returns the index of the class that ``label`` names, None if there is none.

    A str is a name. An int is the class of that name where all names are integers, else an index.
    """
    if not names:
        return None
    if str(label) in names and (isinstance(label, str) or integers(names)):
        return names.index(str(label))
    if isinstance(label, str):
        return None
    if integers(names):  # 07 is the class called 7, unless there are both
        found = [index for index, name in enumerate(names) if int(name) == label]
        return found[0] if len(found) == 1 else None
    return label if 0 <= label < len(names) else None


def listed(names: Sequence[str]) -> str:
    """Returns the names in one line; of more than LISTED, the first ones, the last and a count."""
    shown = [name if name.isprintable() and len(name) <= 40 else f"{name!r:.40}" for name in names]
    if len(shown) > LISTED:
        count = f" ({len(shown):,} classes)"
        return f"{', '.join(shown[: LISTED - 2])}, ..., {shown[-1]}{count}"
    return ", ".join(shown)


def suggested(label: object, names: Sequence[str]) -> str:
    """Returns ``": did you mean 'x'?"`` for the name nearest to ``label``, else nothing; integers
    are near to none."""
    if integers([str(label)]):
        return ""
    close = difflib.get_close_matches(str(label), names[:_COMPARED], n=1, cutoff=0.5)
    return f": did you mean {close[0]!r}?" if close else ""
