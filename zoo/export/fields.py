"""Fields of the metadata of exported graphs, with bounds: they may come from strangers."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError


def _encodable(text: str) -> str:
    text.encode()  # a lone surrogate of JSON raises UnicodeEncodeError, a ValueError
    return text


Unicode = Annotated[str, AfterValidator(_encodable)]
Name = Annotated[Unicode, Field(max_length=2**8)]
Text = Annotated[Unicode, Field(max_length=2**12)]
Count = Annotated[int, Field(ge=0, le=2**20)]
Size = Annotated[int, Field(ge=1, le=2**24)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


def _few(value: Any) -> Any:
    if isinstance(value, dict) and len(value) > 64:
        raise ValueError("must have at most 64 entries")
    return value


Entry = TypeVar("Entry")
Few = Annotated[Mapping[Name, Entry], BeforeValidator(_few)]
"""A mapping of at most 64 entries, refused before they are read."""


class Record(BaseModel):
    """Strict and frozen; a plugin may store keys of its own beside these."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="ignore", defer_build=True, protected_namespaces=()
    )


_short = reprlib.Repr()
_short.maxstring = _short.maxother = 80
_short.maxlist = _short.maxtuple = 10


def reason_of(error: ValidationError) -> str:
    """Returns the first error, in words that follow "its values" or "its metadata"."""
    first = error.errors(include_url=False, include_context=False)[0]
    key = ".".join(map(str, first["loc"]))[:80]
    return f"lack {key}" if first["type"] == "missing" else f"state {key} {_value(first['input'])}"


def _value(value: Any) -> str:
    try:
        return f"{_short.repr(value):.80}"
    except ValueError:  # an integer of more digits than Python writes
        return "a number of thousands of digits"
