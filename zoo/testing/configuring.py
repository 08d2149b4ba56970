"""What can be set: presets, descriptions, and that a run remembers all of it."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from zoo.config.resolve import Setting, preset_settings, validate
from zoo.errors import UsageError
from zoo.runs.folder import RunFolder
from zoo.specs import ModelConfig, Preset
from zoo.testing.promise import Broken, promise
from zoo.testing.subject import Subject


@promise("presets", "every preset is a configuration")
def presets(subject: Subject) -> str:
    spec = subject.spec
    for name in spec.presets:
        validate(spec, preset_settings(spec, name))
    return ", ".join(spec.presets)


@promise("described", "every key of its own has a description")
def described(subject: Subject) -> str:
    fields = subject.spec.config.model_fields
    if bare := [f"model.{key}" for key, field in fields.items() if not field.description]:
        raise Broken(f"{', '.join(bare)} has none: give it Field(description=...)")
    return f"{len(fields)} keys"


@promise("remembered", "every key of its own comes back from a run's config.json", ("presets",))
def remembered(subject: Subject) -> str:
    folder = RunFolder(subject.folder)
    lost, same = [], []
    for key in subject.spec.config.model_fields:
        config = next(other_values(subject, key), None)
        if config is None:
            same.append(key)
            continue
        try:
            folder.write_config(
                model=subject.name,
                plugin=subject.owner.plugin.reference(),
                config=replace(subject.config, model=config),
                image=subject.image,
                source="digits",
                hardware={},
                summary={},
            )
            _, again, _ = folder.parse_config(folder.read_config(), lambda _: subject.spec)
        except Exception as error:
            raise Broken(f"model.{key} cannot be written and read: {error}") from error
        if getattr(again.model, key) != getattr(config, key):
            lost.append(
                f"model.{key} was {getattr(config, key)!r} and is {getattr(again.model, key)!r}"
            )
    if lost:
        raise Broken("; ".join(lost))
    count = len(subject.spec.config.model_fields) - len(same)
    beside = f"; no second value was found for {', '.join(same)}" if same else ""
    return f"{count} keys at another value{beside}"


def other_values(subject: Subject, key: str) -> Iterator[ModelConfig]:
    """The subject's configuration with another valid value of one key."""
    now, spec = getattr(subject.config.model, key), subject.spec
    known = choices(spec.config.model_fields[key].annotation)
    known += [preset["model"][key] for preset in spec.presets.values() if key in _model(preset)]
    for value in [*known, *_guesses(now)]:
        if value == now and type(value) is type(now):
            continue
        try:
            config = with_value(subject, key, value)
        except UsageError:
            continue
        if getattr(config, key) != now:
            yield config


def with_value(subject: Subject, key: str, value: Any) -> ModelConfig:
    """The subject's configuration with one key set. Raises UsageError for what it refuses."""
    settings = [
        *preset_settings(subject.spec, subject.preset),
        *subject.settings(),
        Setting("model", key, value, f"model.{key} = {value!r}"),
    ]
    return validate(subject.spec, settings).model


def choices(annotation: Any) -> list[Any]:
    """The values of a field that has a few to choose from (Literal or bool, or null), else none."""
    origin = get_origin(annotation)
    if origin is Literal:
        return list(get_args(annotation))
    if origin is Annotated:
        return choices(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [value for part in get_args(annotation) for value in choices(part)]
    if annotation is bool:
        return [False, True]
    return [None] if annotation is types.NoneType else []


def _model(preset: Preset) -> Mapping[str, Any]:
    return preset.get("model", {})


def _guesses(now: Any) -> list[Any]:
    """Values that a field of the kind of ``now`` may take."""
    if isinstance(now, bool):
        return []
    if isinstance(now, int):
        return [now + 1, now - 1, now * 2, now // 2, now + 2, now - 2]
    if isinstance(now, float):
        return [now / 2, now * 2, now + 0.5, now - 0.5, (now + 1) / 2]
    if isinstance(now, str):
        return [f"{now}2", now[:-1], f"{now} "]
    if isinstance(now, list | tuple):
        kind = type(now)
        return [kind([*now, *now[-1:]]), kind(now[:-1]), kind([2 * part for part in now])]
    return [1, 2, 0.5, 1.0, "a", True] if now is None else []
