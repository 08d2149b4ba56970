"""Values as text, on a command line and in metadata."""

from __future__ import annotations

import json
from typing import Any


def read(text: str) -> Any:
    """Returns ``text`` parsed as JSON, else the text itself.

    ``"0.5"`` is a number, ``"[1, 8, 8]"`` a list, ``"digits"`` a string.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # also too many digits or brackets
        return text


def write(value: Any) -> str:
    """Returns the inverse of :func:`read`: a string unchanged, anything else as JSON.

    A string that is valid JSON, such as ``"7"``, does not survive the round trip.
    """
    return value if isinstance(value, str) else json.dumps(value)
