"""Strategies of hypothesis for files that are almost valid: JSON documents, bytes and texts."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

TEXTS = (
    *(
        "",
        " ",
        "x",
        "0",
        "null",
        "\0",
        "a\nb",
        "\x1b[2J\x1b]0;t\x07",
        "\u202eevil",
        "\ud800",
        "\x85",
    ),
    *(
        "../x",
        "/etc/passwd",
        "C:\\x",
        "a" * 10_000,
        "é" * 300,
        "e\u0301",
        "<script>",
        "{}",
        "%s",
        "~",
    ),
    *("a: b", "- x", "&a [*a]", "*a", "!!python/object:os.system x", "---", "|", "\ufeffx"),
)
NUMBERS = (
    *(0, 1, -1, 2, 7, 2**31, 2**32, 2**53 + 1, 2**63, -(2**63) - 1, 2**64, 10**30, 10**400),
    *(0.5, -0.0, 1e-320, 1e308, -1e308, float("nan"), float("inf"), float("-inf")),
)
_LONG = "9" * 5000
"""An integer of more digits than Python reads."""

texts = st.sampled_from(TEXTS) | st.text(max_size=20)
scalars = st.sampled_from([None, True, False, *NUMBERS]) | texts | st.integers()
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=6,
)


def raw(value: Any) -> bytes:
    """JSON with the constants and escapes that Python's reader takes, so also NaN."""
    return json.dumps(value).replace('"LONG"', _LONG).encode()


@st.composite
def changed(pick: st.DrawFn, document: Any) -> Any:
    """A document with one to three values changed, removed, added or moved."""
    document = {"": deepcopy(document)}
    for _ in range(pick(st.integers(1, 3))):
        places = [*_places(document)]
        holder, key = places[pick(st.integers(0, len(places) - 1))]
        what = pick(st.sampled_from(["replace"] * 4 + ["near"] * 2 + ["remove", "add", "wrap"]))
        if what == "remove" and key != "":
            del holder[key]
        elif what == "add" and isinstance(holder, dict) and key != "":
            holder[pick(texts)] = pick(values)
        elif what == "wrap":
            holder[key] = pick(st.sampled_from([[holder[key]], {"x": holder[key]}, "LONG"]))
        elif what == "near":
            holder[key] = _near(pick, holder[key])
        else:
            holder[key] = pick(values)
    return document.get("")


def _places(value: Any) -> Any:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in [*items]:
        yield value, key
        if isinstance(inner, dict | list):
            yield from _places(inner)


def _near(pick: st.DrawFn, value: Any) -> Any:
    """A value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return pick(st.sampled_from([value + 1, value * 2, value * 1000, -value, float(value)]))
    if isinstance(value, str):
        return pick(st.sampled_from([value + "x", value[:-1], value.upper(), value * 1000]))
    if isinstance(value, list):
        return pick(st.sampled_from([[*value, *value], value[1:], value * 1000]))
    return [*value] if isinstance(value, dict) else 0


def encoded(document: Any) -> st.SearchStrategy[bytes]:
    """The bytes of a changed document; one time in four damaged further."""
    whole = changed(document).map(raw)
    return st.one_of(whole, whole, whole, whole.flatmap(damaged), st.sampled_from(_documents()))


def _documents() -> list[bytes]:
    """Files that are not the JSON of an object."""
    return [
        *(b"", b"null", b"[]", b"{}", b"1", b'"x"', b"NaN", b"\xff\xfe", b"\x80\x04N.", b"{" * 9),
        *(b"[" * 100_000, b'{"a":' * 100_000, b"[[]]" * 1000, b"9" * 5000, b"\0" * 100),
        *(b'{"a": 1, "a": 2}', '{"format_version": 4}'.encode("utf-16"), b"\xef\xbb\xbf{}"),
    ]


@st.composite
def damaged(pick: st.DrawFn, data: bytes) -> bytes:
    """Bytes cut, with a byte changed, or with a part removed, doubled or overwritten."""
    kinds = ("cut", "flip", "flip", "remove", "double", "insert", "overwrite", "random")
    what = pick(st.sampled_from(kinds))
    if what == "random" or not data:
        return pick(st.binary(max_size=200))
    start = pick(st.integers(0, len(data) - 1))
    end = min(len(data), start + pick(st.integers(1, 64)))
    part = data[start:end]
    if what == "cut":
        return data[:start]
    if what == "flip":
        part, end = bytes([data[start] ^ pick(st.integers(1, 255))]), start + 1
    elif what == "remove":
        part = b""
    elif what == "double":
        part += part
    elif what == "insert":
        part += pick(st.binary(min_size=1, max_size=16))
    else:
        part = pick(st.sampled_from([b"\xff", b"\0", b"\x80", b"9"])) * len(part)
    return data[:start] + part + data[end:]


def lines(documents: list[Any]) -> st.SearchStrategy[bytes]:
    """JSON lines, of which some are changed."""
    one = st.sampled_from(documents).flatmap(encoded) | st.sampled_from(documents).map(raw)
    return st.lists(one, max_size=6).map(b"\n".join)
