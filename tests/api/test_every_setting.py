"""Every key of every model that comes with genzoo, set wrongly in every way that there is.

What is wrong is derived from each field's own schema, so a field that is added is covered too.
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

Wrong = tuple[Any, str]
"""A value, and a pattern of what the sentence says of the key; ``(bound)`` and such are groups."""

PHRASES = {
    "integer": "must be an integer",
    "number": "must be a number",
    "boolean": "must be true or false",
    "string": "must be text",
}

OF_EACH_TYPE = {
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
    """The parts of a field's schema by their JSON type."""
    parts = {part["type"]: part for part in schema.get("anyOf", [schema])}
    assert parts.keys() <= {*PHRASES, "null"}, "a kind of field that this module has to learn"
    return parts


def wrong_values(schema: dict[str, Any]) -> Iterator[Wrong]:
    """Of a wrong type, past each bound, none of the choices, and numbers that are none."""
    parts = kinds(schema)
    choices = [value for part in parts.values() for value in part.get("enum", [])]
    if choices:
        said = "must be .*" + ".*".join(re.escape(repr(choice)) for choice in choices)
        yield from ((value, said) for value in near(choices))
    else:
        (said,) = [PHRASES[kind] for kind in parts if kind != "null"]
    for kind, value in OF_EACH_TYPE.items():
        if kind not in parts and not (kind == "integer" and "number" in parts):
            yield value, said
    for kind, part in parts.items():
        if kind in ("integer", "number") and not choices:
            yield from ((value, bound) for value, bound in past_the_bounds(kind, part))
        if kind == "number":
            yield from ((value, "must be a finite number") for value in (math.nan, math.inf))
            yield -math.inf, "must be a finite number"
        if kind == "integer" and not choices:
            yield from ((value, said) for value in (math.nan, math.inf, -math.inf))
        if part.get("minLength"):
            yield "", "must not be empty"


def near(choices: list[Any]) -> Iterator[Any]:
    """Values that are nearly one of ``choices``."""
    for choice in choices:
        if isinstance(choice, str):
            yield from (choice.upper(), f"{choice} ", choice[:-1], choice * 2, [choice])
        else:
            yield from (float(choice), str(choice) + "x", max(choices) + choice, -choice)


def bounds(kind: str, part: dict[str, Any]) -> Iterator[tuple[str, Any, Any, Any]]:
    """Description of a bound, the bound, the last value inside, and the first outside."""
    for name, said, direction in [
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
            yield said, bound, math.nextafter(bound, -direction), float(bound)
        elif kind == "integer":
            yield said, bound, bound, bound + (1 if direction > 0 else -1)
        else:
            yield said, bound, float(bound), math.nextafter(bound, direction)


def past_the_bounds(kind: str, part: dict[str, Any]) -> Iterator[Wrong]:
    for said, bound, inside, outside in bounds(kind, part):
        number = re.escape(repr(bound)) + (r"(?:\.0)?" if kind == "number" else "")
        far = 10**30 if outside > inside else -(10**30)
        for value in (outside, far if kind == "integer" else float(far)):
            yield value, f"must be {said} {number}(?=,)"


def sentence(call: Callable[[], object]) -> str:
    with pytest.raises(UsageError) as error:
        call()
    said = str(error.value)
    assert "\n" not in said
    assert "pydantic" not in said.lower()
    return said


def spoken(value: Any) -> str:
    """A value as sentences show it."""
    return re.escape(json.dumps(value))


@pytest.mark.parametrize(("model", "section"), SECTIONS)
def test_a_wrong_value_is_said_with_its_key_its_bound_and_itself(
    commands, here: Path, untouched, model: str, section: str
) -> None:
    for key, schema in schemas(model, section).items():
        name, seen = f"{section}.{key}", 0
        for value, said in wrong_values(schema):
            expected = f"{re.escape(name)} {said}.*, got {spoken(value)}"
            text = value if isinstance(value, str) else json.dumps(value)
            found = commands.fails(2, "train", model, "--set", f"{name}={text}")
            assert re.fullmatch(rf"--set {re.escape(f'{name}={text}')}: {expected}", found), found
            found = sentence(lambda: zoo.train(model, config={name: value}, quiet=True))  # noqa: B023
            label = re.escape(f"config {name}={value!r}: ")
            assert re.fullmatch(label + expected, found), found
            if section == "model":
                found = sentence(lambda: zoo.build(model, **{key: value}))  # noqa: B023
                assert re.fullmatch(re.escape(f"{key}={value!r}: ") + expected, found), found
            seen += 1
        assert seen >= 5, name


@pytest.mark.parametrize(("model", "section"), SECTIONS)
def test_a_misspelt_key_is_said_with_the_right_one(
    commands, here: Path, untouched, model: str, section: str
) -> None:
    for key in schemas(model, section):
        swapped = key[0] + key[2] + key[1] + key[3:]
        for wrong in {key + key[-1], swapped} - {key}:
            name = f"{section}.{wrong}"
            said = f": there is no key '{name}': did you mean '{section}.{key}'?"
            found = commands.fails(2, "train", model, "--set", f"{name}=1")
            assert found == f"--set {name}=1{said}"
            found = sentence(lambda: zoo.train(model, config={name: 1}, quiet=True))  # noqa: B023
            assert found == f"config {name}=1{said}"
            found = commands.fails(2, "train", model, "--set", f"{wrong}=1")
            assert f"there is no key '{wrong}': did you mean '{section}.{key}'?" in found


@pytest.mark.parametrize(("model", "section"), SECTIONS)
def test_every_number_has_two_bounds_and_is_right_up_to_them(model: str, section: str) -> None:
    spec = host().spec(model)
    for key, schema in schemas(model, section).items():
        for kind, part in kinds(schema).items():
            if kind not in ("integer", "number") or "enum" in part:
                continue
            found = list(bounds(kind, part))
            assert len(found) == 2, f"{section}.{key} has no lower or no upper bound"
            for _, _, inside, _ in found:
                config = validate(spec, [Setting(section, key, inside, "the last")])
                assert getattr(getattr(config, section), key) == inside
