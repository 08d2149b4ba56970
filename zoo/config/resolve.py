"""One validated configuration from defaults, a preset, a TOML file and flags.

Later layers win: defaults, ``--preset``, ``--config FILE.toml``, flags and ``--set``. Each value
keeps the label of its layer for error messages.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from zoo.config import text as texts
from zoo.config.sections import LIMITS, READING, SECTIONS, Config, DataConfig, TrainingConfig
from zoo.errors import UsageError, nearest, printable
from zoo.specs import ModelSpec, Section


@dataclass(frozen=True)
class Setting:
    """One value; ``label`` is the argument or file that sets it, for messages."""

    section: str
    key: str
    value: Any
    label: str

    @property
    def name(self) -> str:
        return f"{self.section}.{self.key}"


def sections_of(spec: ModelSpec) -> dict[str, type[Section]]:
    """Returns the three sections of a model's configuration by name."""
    return {"model": spec.config, "data": DataConfig, "training": TrainingConfig}


def resolve(
    spec: ModelSpec,
    preset: str | None = None,
    file: Path | None = None,
    settings: Iterable[Setting] = (),
    lowest: Callable[[Sequence[Setting]], Sequence[Setting]] | None = None,
) -> Config:
    """Returns the configuration of a new run; the default ``preset`` is the model's first.

    ``lowest(settings)`` returns a layer below all others, which takes the place of the default
    preset. Raises UsageError, naming layer, key, bound and value.
    """
    upper = unique(settings)
    if file is not None:
        upper = overlay(file_settings(spec, file), upper)
    if lowest is None or preset is not None:
        upper = overlay(preset_settings(spec, preset), upper)
    return validate(spec, upper if lowest is None else overlay(lowest(upper), upper))


def overlay(lower: Iterable[Setting], upper: Sequence[Setting]) -> list[Setting]:
    """Returns both layers; if the upper one sets a limit, the lower one's limits are dropped."""
    if any(_is_limit(setting) for setting in upper):
        lower = [setting for setting in lower if not _is_limit(setting)]
    return [*lower, *upper]


def validate(spec: ModelSpec, settings: Iterable[Setting]) -> Config:
    """Applies ``settings`` to the defaults, the last one of each key winning, and checks them."""
    values: dict[str, dict[str, Setting]] = {section: {} for section in SECTIONS}
    for setting in settings:
        values[setting.section][setting.key] = setting
    built: dict[str, Any] = {}
    for name, section in sections_of(spec).items():
        try:
            built[name] = section(**{key: setting.value for key, setting in values[name].items()})
        except ValidationError as error:
            raise UsageError(_message(name, section, values[name], error)) from None
    return Config(**built)


def read_as(config: DataConfig, source: str | None, settings: Mapping[str, Any]) -> DataConfig:
    """Returns ``config`` with ``settings`` on how ``source`` is read, by key with or without
    ``data.``.

    Raises UsageError for other keys, and without ``source``: a run's own data are read as in
    training.
    """
    values = {}
    for name, value in settings.items():
        key = name.removeprefix("data.")
        label = argument_label(name, value)
        if key not in READING:
            raise UsageError(
                f"{label}: only {', '.join(READING[:-1])} and {READING[-1]} can be set, for other "
                "data"
            )
        if source is None:
            raise UsageError(
                f"{label}: the run's own data are read as in training: name other data"
            )
        values[key] = Setting("data", key, value, label)
    try:
        return DataConfig(
            **config.model_dump() | {key: setting.value for key, setting in values.items()}
        )
    except ValidationError as error:
        raise UsageError(_message("data", DataConfig, values, error)) from None


def unique(settings: Iterable[Setting]) -> list[Setting]:
    """Returns the settings unchanged; raises UsageError for a key that is set twice."""
    seen: dict[str, Setting] = {}
    for setting in settings:
        if first := seen.get(setting.name):
            raise UsageError(
                f"{setting.name} is set twice, by {first.label} and by {setting.label}: "
                "keep one of them"
            )
        seen[setting.name] = setting
    return list(seen.values())


def preset_settings(spec: ModelSpec, preset: str | None) -> list[Setting]:
    """Returns the settings of a preset, by default the model's first."""
    name = next(iter(spec.presets)) if preset is None else preset
    if name not in spec.presets:
        raise UsageError(f"{spec.name} has no preset {name!r}{nearest(name, spec.presets)}")
    return sectioned_settings(spec, spec.presets[name], f"preset {name}")


def file_settings(spec: ModelSpec, file: Path) -> list[Setting]:
    """Returns the settings of a TOML file with sections [model], [data] and [training]."""
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--config {file}: {error.strerror or error}") from None
    except RecursionError:
        raise UsageError(f"--config {file} is nested too deeply") from None
    except ValueError as error:  # not TOML, not UTF-8, or an integer of too many digits
        raise UsageError(f"--config {file} is not valid TOML: {error}") from None
    return sectioned_settings(spec, values, str(file))


def sectioned_settings(spec: ModelSpec, values: object, label: str) -> list[Setting]:
    """Returns the settings of values by section and key: a preset, TOML file or config.json."""
    if not isinstance(values, Mapping):
        raise UsageError(
            f"{label}: a configuration must have sections of keys, got {_as_json(values)}"
        )
    settings = []
    for section, part in values.items():
        if section not in SECTIONS and not isinstance(part, Mapping):
            raise UsageError(
                f"{label}: the key {_shorten(section)!r} has no section: put it under "
                f"{', '.join(SECTIONS[:-1])} or {SECTIONS[-1]}"
            )
        if section not in SECTIONS:
            raise _no_section(section, label)
        if not isinstance(part, Mapping):
            raise UsageError(f"{label}: {section} must be a section of keys, got {_as_json(part)}")
        settings += [
            setting_of(spec, f"{section}.{key}", value, label) for key, value in part.items()
        ]
    return settings


def parse_assignment(spec: ModelSpec, text: str) -> Setting:
    """Returns the setting of ``--set KEY=VALUE``; the value is JSON if it is valid, else text."""
    key, equals, value = text.partition("=")
    label = f"--set {_shorten(text)}"
    if not equals:
        raise UsageError(f"{label}: use KEY=VALUE")
    return setting_of(spec, key.strip(), texts.read(value), label)


def argument_label(key: str, value: object) -> str:
    """Returns ``key=value`` in Python's notation, on one short line: the label of an argument."""
    try:
        return f"{key}={_shorten(repr(value))}"
    except ValueError:  # an integer of too many digits
        return f"{key}=..."


def setting_of(spec: ModelSpec, key: str, value: Any, label: str) -> Setting:
    """Returns a setting of ``section.key``, or of a bare key that only one section has."""
    section, dot, bare = key.partition(".")
    if dot:
        if section not in SECTIONS:
            raise _no_section(section, label)
        fields = sections_of(spec)[section].model_fields
        if bare not in fields:
            raise _no_key(key, label, _nearest_key(spec, section, bare))
        return Setting(section, bare, value, label)
    sections = [name for name, part in sections_of(spec).items() if key in part.model_fields]
    if len(sections) > 1:
        choices = " or ".join(f"{section}.{key}" for section in sections)
        raise UsageError(f"{label}: {key} is ambiguous: {choices}")
    if not sections:
        raise _no_key(key, label, _nearest_key(spec, None, key))
    return Setting(sections[0], key, value, label)


def changed(before: Config, after: Config) -> list[tuple[str, Any, Any]]:
    """Returns key, old and new value of all differences except in limits."""
    old, new = before.dump(), after.dump()
    return [
        (f"{section}.{key}", old[section][key], value)
        for section in SECTIONS
        for key, value in new[section].items()
        if value != old[section][key] and not (section == "training" and key in LIMITS)
    ]


def _no_section(section: str, label: str) -> UsageError:
    hint = nearest(section, SECTIONS)
    return UsageError(f"{label}: there is no section {_shorten(section)!r}{hint}")


def _no_key(key: str, label: str, hint: str) -> UsageError:
    return UsageError(f"{label}: there is no key {_shorten(key)!r}{hint}")


def _is_limit(setting: Setting) -> bool:
    return setting.section == "training" and setting.key in LIMITS


def _nearest_key(spec: ModelSpec, section: str | None, key: str) -> str:
    names = {
        field: f"{name}.{field}"
        for name, part in sections_of(spec).items()
        for field in part.model_fields
        if section in (None, name)
    }
    hint = nearest(key, names)
    for field, full in names.items():
        if f"'{field}'" in hint:
            return hint.replace(f"'{field}'", f"'{full}'")
    return hint


_PHRASES = {
    "greater_than_equal": ("ge", "must be at least {}"),
    "greater_than": ("gt", "must be more than {}"),
    "less_than_equal": ("le", "must be at most {}"),
    "less_than": ("lt", "must be less than {}"),
    "literal_error": ("expected", "must be {}"),
    "multiple_of": ("multiple_of", "must be a multiple of {}"),
    "int_type": ("", "must be an integer"),
    "float_type": ("", "must be a number"),
    "bool_type": ("", "must be true or false"),
    "string_type": ("", "must be text"),
    "list_type": ("items", "must be a list of {}"),
    "too_short": ("min_length", "must have at least {} values"),
    "too_long": ("max_length", "must have at most {} values"),
    "string_unicode": ("", "must be UTF-8: rename the file or folder"),
    "string_too_short": ("", "must not be empty"),
    "finite_number": ("", "must be a finite number"),
}


def _message(
    name: str, section: type[Section], settings: Mapping[str, Setting], error: ValidationError
) -> str:
    first = error.errors(include_url=False)[0]
    message = first["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if not first["loc"]:
        labels = ", ".join(dict.fromkeys(setting.label for setting in settings.values()))
        return f"{labels}: {message}" if labels else message
    key = str(first["loc"][0])
    if key not in settings:
        return f"{name}.{key} has no default: set it with --set {name}.{key}=VALUE"
    argument, phrase = _PHRASES.get(first["type"], ("", ""))
    items = "text" if "str" in str(section.model_fields[key].annotation) else "numbers"
    limit = (first.get("ctx", {}) | {"items": items}).get(argument)
    problem = phrase.format(limit) if phrase else message
    return f"{settings[key].label}: {name}.{key} {problem}, got {_as_json(first['input'])}"


def _as_json(value: object) -> str:
    """Returns a value as JSON, shortened."""
    try:
        return _shorten(json.dumps(value, default=repr))
    except (ValueError, RecursionError, TypeError):
        return type(value).__name__


def _shorten(text: str) -> str:
    """Returns at most 80 characters on one line, with unprintable ones escaped."""
    text = printable(text)
    return text if len(text) <= 80 else f"{text[:60]}... ({len(text)} characters)"
