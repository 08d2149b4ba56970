"""The log of a run, metrics.jsonl: a line of JSON per logged step, of any size."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from zoo.errors import ZooError
from zoo.system.files import replacing, require_regular
from zoo.system.retry import retried

MAX_LINES = 2**22
MAX_BYTES = 2**29
"""Maximum size of a log that is read as a whole: a week of 7 lines a second."""

MAX_TAIL = 2**26
"""Bytes of the newest lines that are kept in memory."""

MAX_LINE = 2**16
"""Maximum bytes of a line; a longer one is damaged."""

MAX_SKIMMED = 2**24
"""Bytes of the newest lines that :func:`skim_log` looks at."""

_ATTEMPTS = 8
"""Lines at the end of a log that may be damaged."""

_DICT = 128
"""Bytes that a line counts for at least, since it takes memory beside its values."""


@dataclass
class LogCheck:
    """The number of damaged lines and of the first one, from 1; and the first ``descent``: a step
    and the one that follows it, which is not larger."""

    damaged: int = 0
    first: int = 0
    descent: tuple[int, int] | None = None


def read_log(path: Path) -> list[dict[str, Any]]:
    """Returns the lines, oldest first, without the damaged ones; of over MAX_TAIL bytes the newest.

    Empty without a file.
    """
    newest: deque[bytes] = deque()
    size = 0
    for line in _lines(path, MAX_TAIL):
        newest.append(line)
        size += max(len(line), _DICT)
        while size > MAX_TAIL:
            size -= max(len(newest.popleft()), _DICT)
    parsed = map(_parsed, newest)
    return [line for line in parsed if line is not None]


def skim_log(path: Path, text: str) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """Returns the lines with ``text``, oldest first, and the last line; None without one.

    Only these are parsed, of the last MAX_SKIMMED bytes: a run may have logged a hundred thousand.
    """
    try:
        require_regular(path)
    except FileNotFoundError:
        return [], None
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - MAX_SKIMMED))
        data = file.read(MAX_SKIMMED)
    parsed = map(_bounded, _lines_with(data, text.encode()))
    return [line for line in parsed if line is not None], _last(data)


def _lines_with(data: bytes, text: bytes) -> Iterator[bytes]:
    position = data.find(text)
    while position >= 0:
        end = data.find(b"\n", position)
        end = len(data) if end < 0 else end
        yield data[data.rfind(b"\n", 0, position) + 1 : end]
        position = data.find(text, end)


def _last(data: bytes) -> dict[str, Any] | None:
    for _ in range(_ATTEMPTS):
        data, _, text = data.rstrip().rpartition(b"\n")
        if (last := _bounded(text)) is not None:
            return last
    return None


def check_log(path: Path) -> LogCheck:
    """Checks all lines. Raises ZooError for a log over MAX_LINES or MAX_BYTES."""
    check, last = LogCheck(), -1
    for number, data in enumerate(_lines(path), 1):
        line = _parsed(data)
        if line is None:
            check.damaged += 1
            check.first = check.first or number
            continue
        if line["step"] <= last and check.descent is None:
            check.descent = (last, line["step"])
        last = line["step"]
    return check


def truncate_log(path: Path, last_step: int | None = None) -> int:
    """Removes the lines of steps after ``last_step``, which a resumed run writes again, and the
    damaged ones; returns the number of these, except for a last one that a kill cut off.

    Raises as :func:`check_log`.
    """
    if not path.exists():
        return 0
    damaged = 0

    def write() -> None:
        nonlocal damaged
        lines, cut = 0, False
        with replacing(path) as temporary, open(temporary, "wb") as file:
            for data in _lines(path):
                line = _parsed(data)
                cut = line is None
                lines += cut
                if line is not None and (last_step is None or line["step"] <= last_step):
                    file.write(data if data.endswith(b"\n") else data + b"\n")
        damaged = lines - cut

    retried(write)
    return damaged


def _lines(path: Path, tail: int | None = None) -> Iterator[bytes]:
    """Yields the lines that are not blank, those over MAX_LINE bytes as empty; with ``tail`` those
    in the last bytes of the file."""
    try:
        require_regular(path)
    except FileNotFoundError:
        return
    size, lines = path.stat().st_size, 0
    if tail is None and size > MAX_BYTES:
        raise _too_large(path, f"{size:,} bytes: at most {MAX_BYTES:,}")
    with open(path, "rb") as file:
        if tail is not None and size > tail:
            file.seek(size - tail)
            file.readline()
        while line := file.readline(MAX_LINE):
            rest = line
            while len(rest) == MAX_LINE and not rest.endswith(b"\n"):
                rest = file.readline(MAX_LINE)
            lines += 1
            if tail is None and lines > MAX_LINES:
                raise _too_large(path, f"over {MAX_LINES:,} lines: no more")
            if not line.isspace():
                yield line if rest is line else b""


def _too_large(path: Path, reason: str) -> ZooError:
    return ZooError(f"{path} has {reason} are read; move it away, or keep its newest lines")


def _bounded(line: bytes) -> dict[str, Any] | None:
    return _parsed(line) if len(line) <= MAX_LINE else None


def _parsed(line: bytes) -> dict[str, Any] | None:
    """Returns a line's values, None for a damaged one."""
    try:
        values = from_json(line)
    except ValueError:
        return None
    if not isinstance(values, dict) or type(values.get("step")) is not int or values["step"] < 0:
        return None
    return values
