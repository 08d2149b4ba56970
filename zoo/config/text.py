"""Values written as text: on a command line, and in metadata that keep text alone."""

from __future__ import annotations

import json
from typing import Any


def read(text: str) -> Any:
    """The value of ``text``: what it is as JSON, else the text itself.

    ``"0.5"`` gives 0.5, ``"[1, 8, 8]"`` a list, ``"digits"`` the word.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # a number of too many digits, too many brackets
        return text


def write(value: Any) -> str:
    """``value`` as :func:`read` takes it: a text as it is, anything else as JSON.

    A text that is JSON itself, such as ``"7"``, is read as its value.
    """
    return value if isinstance(value, str) else json.dumps(value)
