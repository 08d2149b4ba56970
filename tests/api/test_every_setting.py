"""Invalid values of every key of every bundled model.

The values are derived from the schema of each field, so new fields are covered automatically.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from contract import SHIPPED

import zoo
from zoo.api import host
from zoo.config.resolve import Setting, sections_of, validate
from zoo.errors import UsageError

SECTIONS = [(model, section) for model in SHIPPED for section in ("model", "data", "training")]

Invalid = tuple[Any, str]
"""An invalid value and a pattern that the message must match after the key."""

PHRASES = {
    "integer": "must be an integer",
    "number": "must be a number",
    "boolean": "must be true or false",
    "string": "must be text",
    "array": "must be a list of ",
}
ITEMS = {"number": "numbers", "string": "text"}

VALUES_BY_TYPE = {
    "null": None,
    "boolean": True,
    "integer": 3,
    "number": 2.5,
    "string": "word",
    "array": [1],
    "object": {"a": 1},
}


def schemas(model: str, section: str) -> dict[str, dict[str, Any]]:
    return sections_of(host().spec(model))[section].model_json_schema()["properties"]


def kinds(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns the parts of a field's schema by JSON type."""
    parts = {part["type"]: part for part in schema.get("anyOf", [schema])}
    assert parts.keys() <= {*PHRASES, "null"}, "this module does not cover the type of the field"
    return parts


def invalid_values(schema: dict[str, Any]) -> Iterator[Invalid]:
    """Yields values of wrong types, out of bounds, not among the choices, and not finite."""
    parts = kinds(schema)
    choices = [value for part in parts.values() for value in part.get("enum", [])]
    if choices:
        message = "must be .*" + ".*".join(re.escape(repr(choice)) for choice in choices)
        yield from ((value, message) for value in similar(choices))
    else:
        ((kind, part),) = [item for item in parts.items() if item[0] != "null"]
        message = PHRASES[kind] + (ITEMS[part["items"]["type"]] if kind == "array" else "")
    for kind, value in VALUES_BY_TYPE.items():
        if kind not in parts and not (kind == "integer" and "number" in parts):
            yield value, message
    for kind, part in parts.items():
        if kind in ("integer", "number") and not choices:
            yield from ((value, bound) for value, bound in out_of_bounds(kind, part))
        if kind == "number":
            yield from ((value, "must be a finite number") for value in (math.nan, math.inf))
            yield -math.inf, "must be a finite number"
        if kind == "integer" and not choices:
            yield from ((value, message) for value in (math.nan, math.inf, -math.inf))
        if part.get("minLength"):
            yield "", "must not be empty"
        if kind == "array":
            yield [1] * (part["minItems"] - 1), f"must have at least {part['minItems']} values"
            yield [1] * (part["maxItems"] + 1), f"must have at most {part['maxItems']} values"


def similar(choices: list[Any]) -> Iterator[Any]:
    """Yields values that resemble one of ``choices``."""
    for choice in choices:
        if isinstance(choice, str):
            yield from (choice.upper(), f"{choice} ", choice[:-1], choice * 2, [choice])
        else:
            yield from (float(choice), str(choice) + "x", max(choices) + choice, -choice)


def bounds(kind: str, part: dict[str, Any]) -> Iterator[tuple[str, Any, Any, Any]]:
    """Yields the wording of each bound, the bound, the last value inside and the first outside."""
    for name, message, direction in [
        ("minimum", "at least", -math.inf),
        ("exclusiveMinimum", "more than", -math.inf),
        ("maximum", "at most", math.inf),
        ("exclusiveMaximum", "less than", math.inf),
    ]:
        if name not in part:
            continue
        bound = part[name]
        if name.startswith("exclusive"):
            assert kind == "number"
            yield message, bound, math.nextafter(bound, -direction), float(bound)
        elif kind == "integer":
            yield message, bound, bound, bound + (1 if direction > 0 else -1)
        else:
            yield message, bound, float(bound), math.nextafter(bound, direction)


def out_of_bounds(kind: str, part: dict[str, Any]) -> Iterator[Invalid]:
    for message, bound, inside, outside in bounds(kind, part):
        number = re.escape(repr(bound)) + (r"(?:\.0)?" if kind == "number" else "")
        far = 10**30 if outside > inside else -(10**30)
        for value in (outside, far if kind == "integer" else float(far)):
            yield value, f"must be {message} {number}(?=,)"


def error_message(call: Callable[[], object]) -> str:
    with pytest.raises(UsageError) as error:
        call()
    message = str(error.value)
    assert "\n" not in message
    assert "pydantic" not in message.lower()
    return message


def shown(value: Any) -> str:
    """Returns a pattern for a value as messages show it."""
    return re.escape(json.dumps(value))


@pytest.mark.parametrize(("model", "section"), SECTIONS)
def test_an_invalid_value_is_reported_with_key_bound_and_value(
    commands, here: Path, untouched, model: str, section: str
) -> None:
    for key, schema in schemas(model, section).items():
        name, count = f"{section}.{key}", 0
        for value, message in invalid_values(schema):
            expected = f"{re.escape(name)} {message}.*, got {shown(value)}"
            text = value if isinstance(value, str) else json.dumps(value)
            error = commands.fails(2, "train", model, "--set", f"{name}={text}")
            assert re.fullmatch(rf"--set {re.escape(f'{name}={text}')}: {expected}", error), error
            error = error_message(lambda: zoo.train(model, config={name: value}, quiet=True))  # noqa: B023
            label = re.escape(f"config {name}={value!r}: ")
            assert re.fullmatch(label + expected, error), error
            if section == "model":
                error = error_message(lambda: zoo.build(model, **{key: value}))  # noqa: B023
                assert re.fullmatch(re.escape(f"{key}={value!r}: ") + expected, error), error
            count += 1
        assert count >= 5, name


@pytest.mark.parametrize(("model", "section"), SECTIONS)
def test_a_misspelled_key_is_reported_with_a_suggestion(
    commands, here: Path, untouched, model: str, section: str
) -> None:
    for key in schemas(model, section):
        swapped = key[0] + key[2] + key[1] + key[3:]
        for misspelled in {key + key[-1], swapped} - {key}:
            name = f"{section}.{misspelled}"
            message = f": there is no key '{name}': did you mean '{section}.{key}'?"
            error = commands.fails(2, "train", model, "--set", f"{name}=1")
            assert error == f"--set {name}=1{message}"
            error = error_message(lambda: zoo.train(model, config={name: 1}, quiet=True))  # noqa: B023
            assert error == f"config {name}=1{message}"
            error = commands.fails(2, "train", model, "--set", f"{misspelled}=1")
            assert f"there is no key '{misspelled}': did you mean '{section}.{key}'?" in error


@pytest.mark.parametrize(("model", "section"), SECTIONS)
def test_every_number_has_two_bounds_and_is_valid_up_to_them(model: str, section: str) -> None:
    spec = host().spec(model)
    for key, schema in schemas(model, section).items():
        for kind, part in kinds(schema).items():
            if kind not in ("integer", "number") or "enum" in part:
                continue
            limits = list(bounds(kind, part))
            assert len(limits) == 2, f"{section}.{key} has no lower or no upper bound"
            for _, _, inside, _ in limits:
                config = validate(spec, [Setting(section, key, inside, "the last")])
                assert getattr(getattr(config, section), key) == inside
