"""Tokens of the Hub, which no message contains, though a server may repeat them."""

from __future__ import annotations

import re

from zoo.errors import causes

_MAX = 200


def redacted(text: str) -> str:
    """``text`` on one line, at most 200 characters, without tokens."""
    text = " ".join(_pattern().sub("...", text).split())
    return text if len(text) <= _MAX else f"{text[:_MAX]}..."


def has_token(error: BaseException) -> bool:
    """Whether a traceback of ``error`` prints a token."""
    pattern = _pattern()
    return any(pattern.search(str(cause)) for cause in causes(error))


def _pattern() -> re.Pattern[str]:
    """Matches text that looks like a token, and the token that is set."""
    from huggingface_hub import get_token

    token = get_token()
    return re.compile(r"hf_\w{8,}|(?<=[Bb]earer )\S+" + (f"|{re.escape(token)}" if token else ""))
