"""Names of files in repositories, which must mean the same file on POSIX, Windows and macOS.

The rules of Windows: https://learn.microsoft.com/windows/win32/fileio/naming-a-file.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable

MAX_PART = 255
"""Maximum bytes in UTF-8 of a name between two slashes."""

MAX_NAME = 1024
"""Maximum bytes in UTF-8 of a name with its folders."""

_DEVICES = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"} | {
    f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789¹²³"
}


def problem_in(names: Iterable[str]) -> str | None:
    """The first fault of ``names``, relative paths with forward slashes, as "a file ..., which
    ..."; None if each is valid and no two name the same file."""
    entries: dict[str, tuple[str, bool]] = {}
    for name in names:
        if reason := _reason(name):
            return f"a file {_quoted(name)}, which {reason}"
        parts = name.split("/")
        for end in range(1, len(parts) + 1):
            entry = "/".join(parts[:end]), end < len(parts)
            other, _ = first = entries.setdefault(_folded(entry[0]), entry)
            if first != entry:
                return (
                    f"a file {_quoted(name)}, which some systems do not tell from {_quoted(other)}"
                )
    return None


def _reason(name: str) -> str | None:
    parts = name.split("/")
    if name.startswith("/") or "\\" in name or {"", ".", ".."} & {*parts} or name[1:2] == ":":
        return "leads out of its folder"
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        return "has a control character"
    if found := re.search(r'[<>:"|?*]', name):
        return f"has the character {found[0]}"
    for part in parts:
        if part[-1] in ". ":
            return "ends with a dot or a space"
        if part.partition(".")[0].rstrip(" ").upper() in _DEVICES:
            return "is a device on Windows"
    if max(map(_size, parts)) > MAX_PART or _size(name) > MAX_NAME:
        return f"is too long: {MAX_PART} bytes at most, {MAX_NAME} with its folders"
    return None


def _folded(name: str) -> str:
    """``name`` as a file system sees it that ignores case and Unicode normalization."""
    folded = unicodedata.normalize("NFC", name).casefold()
    return unicodedata.normalize("NFC", folded)


def _size(name: str) -> int:
    return len(name.encode())


def _quoted(name: str) -> str:
    return json.dumps(name if len(name) <= 100 else f"{name[:100]}...")
