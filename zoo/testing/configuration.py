"""Presets and keys of a model: valid, described, and restored from a run's config.json."""

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


@promise("presets", "every preset is a valid configuration")
def presets(subject: Subject) -> str:
    spec = subject.spec
    for name in spec.presets:
        validate(spec, preset_settings(spec, name))
    return ", ".join(spec.presets)


@promise("descriptions", "every model key has a description")
def descriptions(subject: Subject) -> str:
    fields = subject.spec.config.model_fields
    if missing := [f"model.{key}" for key, field in fields.items() if not field.description]:
        raise Broken(f"no description of {', '.join(missing)}: add Field(description=...)")
    return f"{len(fields)} keys"


@promise("config", "every model key is restored from a run's config.json", ("presets",))
def restored_config(subject: Subject) -> str:
    folder = RunFolder(subject.folder)
    lost, untested = [], []
    for key in subject.spec.config.model_fields:
        config = next(other_values(subject, key), None)
        if config is None:
            untested.append(key)
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
            _, restored, _ = folder.parse_config(folder.read_config(), lambda _: subject.spec)
        except Exception as error:
            raise Broken(f"model.{key} cannot be written and read: {error}") from error
        before, after = getattr(config, key), getattr(restored.model, key)
        if before != after:
            lost.append(f"model.{key} was {before!r} and is {after!r}")
    if lost:
        raise Broken("; ".join(lost))
    count = len(subject.spec.config.model_fields) - len(untested)
    note = f"; no second value found for {', '.join(untested)}" if untested else ""
    return f"{count} keys with another value{note}"


def other_values(subject: Subject, key: str) -> Iterator[ModelConfig]:
    """Yields the subject's configuration with other valid values of one key."""
    current, spec = getattr(subject.config.model, key), subject.spec
    candidates = choices(spec.config.model_fields[key].annotation)
    candidates += [
        preset["model"][key] for preset in spec.presets.values() if key in _model(preset)
    ]
    for value in [*candidates, *_guesses(current)]:
        if value == current and type(value) is type(current):
            continue
        try:
            config = with_value(subject, key, value)
        except UsageError:
            continue
        if getattr(config, key) != current:
            yield config


def with_value(subject: Subject, key: str, value: Any) -> ModelConfig:
    """Returns the subject's configuration with one key set. Raises UsageError for an invalid
    value."""
    settings = [
        *preset_settings(subject.spec, subject.preset),
        *subject.settings(),
        Setting("model", key, value, f"model.{key} = {value!r}"),
    ]
    return validate(subject.spec, settings).model


def choices(annotation: Any) -> list[Any]:
    """Returns the values that an annotation enumerates (Literal, bool, None); else none."""
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


def _guesses(current: Any) -> list[Any]:
    """Returns values that a field of the type of ``current`` may accept."""
    if isinstance(current, bool):
        return []
    if isinstance(current, int):
        return [current + 1, current - 1, current * 2, current // 2, current + 2, current - 2]
    if isinstance(current, float):
        return [current / 2, current * 2, current + 0.5, current - 0.5, (current + 1) / 2]
    if isinstance(current, str):
        return [f"{current}2", current[:-1], f"{current} "]
    if isinstance(current, list | tuple):
        kind = type(current)
        longer, shorter = [*current, *current[-1:]], current[:-1]
        return [kind(longer), kind(shorter), kind([2 * item for item in current])]
    return [1, 2, 0.5, 1.0, "a", True] if current is None else []
