"""From defaults, a preset, a TOML file and flags to one validated configuration.

Later layers win: defaults, ``--preset``, ``--config FILE.toml``, flags and ``--set``. Each value
remembers the layer that it came from, so that an error can say where to mend it.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from zoo.config import text as texts
from zoo.config.sections import LIMITS, SECTIONS, Config, DataConfig, TrainingConfig
from zoo.errors import UsageError, nearest
from zoo.specs import ModelSpec, Section


@dataclass(frozen=True)
class Setting:
    """One value, and the words that the user would find it by."""

    section: str
    key: str
    value: Any
    label: str

    @property
    def name(self) -> str:
        return f"{self.section}.{self.key}"


def sections_of(spec: ModelSpec) -> dict[str, type[Section]]:
    """The three sections of a model's configuration, by name."""
    return {"model": spec.config, "data": DataConfig, "training": TrainingConfig}


def resolve(
    spec: ModelSpec,
    preset: str | None = None,
    file: Path | None = None,
    settings: Iterable[Setting] = (),
) -> Config:
    """The configuration of a new run; without ``preset`` the model's first one is taken.

    Raises UsageError, one sentence that names layer, key, bound and value.
    """
    given = once(settings)
    if file is not None:
        given = overlay(file_settings(spec, file), given)
    return validate(spec, overlay(preset_settings(spec, preset), given))


def overlay(below: Iterable[Setting], above: Sequence[Setting]) -> list[Setting]:
    """Both layers; where the upper one says when to stop, the lower one's limits are dropped."""
    if any(_is_limit(setting) for setting in above):
        below = [setting for setting in below if not _is_limit(setting)]
    return [*below, *above]


def validate(spec: ModelSpec, settings: Iterable[Setting]) -> Config:
    """Lay ``settings`` over the defaults, the last of each key winning, and check them."""
    values: dict[str, dict[str, Setting]] = {section: {} for section in SECTIONS}
    for setting in settings:
        values[setting.section][setting.key] = setting
    built: dict[str, Any] = {}
    for name, section in sections_of(spec).items():
        given = values[name]
        try:
            built[name] = section(**{key: setting.value for key, setting in given.items()})
        except ValidationError as error:
            raise UsageError(_sentence(name, given, error)) from None
    return Config(**built)


def once(settings: Iterable[Setting]) -> list[Setting]:
    """The settings as they came; a key that is set twice raises UsageError."""
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
    """What a preset sets; None is the model's first."""
    name = next(iter(spec.presets)) if preset is None else preset
    if name not in spec.presets:
        raise UsageError(f"{spec.name} has no preset {name!r}{nearest(name, spec.presets)}")
    return sectioned_settings(spec, spec.presets[name], f"preset {name}")


def file_settings(spec: ModelSpec, file: Path) -> list[Setting]:
    """What a TOML file sets, in the sections [model], [data] and [training]."""
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--config {file}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"--config {file} is no TOML: {error}") from None
    return sectioned_settings(spec, values, str(file))


def sectioned_settings(spec: ModelSpec, values: object, label: str) -> list[Setting]:
    """Values by section and key, as presets, TOML files and config.json hold them."""
    if not isinstance(values, Mapping):
        raise UsageError(f"{label}: a configuration has sections with keys, got {_shown(values)}")
    settings = []
    for section, part in values.items():
        if section not in SECTIONS and not isinstance(part, Mapping):
            raise UsageError(
                f"{label}: the key {_short(section)!r} stands in no section: put it under "
                f"{', '.join(SECTIONS[:-1])} or {SECTIONS[-1]}"
            )
        if section not in SECTIONS:
            raise _no_section(section, label)
        if not isinstance(part, Mapping):
            raise UsageError(f"{label}: {section} is a section of keys, got {_shown(part)}")
        settings += [
            setting_of(spec, f"{section}.{key}", value, label) for key, value in part.items()
        ]
    return settings


def parse_assignment(spec: ModelSpec, text: str) -> Setting:
    """``--set KEY=VALUE``: the value is JSON where it parses as JSON, else text."""
    key, equals, value = text.partition("=")
    label = f"--set {_short(text)}"
    if not equals:
        raise UsageError(f"{label}: write it as KEY=VALUE")
    return setting_of(spec, key.strip(), texts.read(value), label)


def written(key: str, value: object) -> str:
    """``key=value`` as Python writes it, on one short line: the label of an argument."""
    try:
        return f"{key}={_short(repr(value))}"
    except ValueError:  # a number of too many digits
        return f"{key}=..."


def setting_of(spec: ModelSpec, key: str, value: Any, label: str) -> Setting:
    """A setting of ``section.key``, or of a bare key that one section alone has."""
    section, dot, bare = key.partition(".")
    if dot:
        if section not in SECTIONS:
            raise _no_section(section, label)
        fields = sections_of(spec)[section].model_fields
        if bare not in fields:
            raise _no_key(key, label, _nearest_key(spec, section, bare))
        return Setting(section, bare, value, label)
    homes = [name for name, part in sections_of(spec).items() if key in part.model_fields]
    if len(homes) > 1:
        choices = " or ".join(f"{home}.{key}" for home in homes)
        raise UsageError(f"{label}: {key} is ambiguous: {choices}")
    if not homes:
        raise _no_key(key, label, _nearest_key(spec, None, key))
    return Setting(homes[0], key, value, label)


def changed(before: Config, after: Config) -> list[tuple[str, Any, Any]]:
    """Key, old and new value of everything that differs, limits aside."""
    old, new = before.dump(), after.dump()
    return [
        (f"{section}.{key}", old[section][key], value)
        for section in SECTIONS
        for key, value in new[section].items()
        if value != old[section][key] and not (section == "training" and key in LIMITS)
    ]


def _no_section(section: str, label: str) -> UsageError:
    hint = nearest(section, SECTIONS)
    return UsageError(f"{label}: there is no section {_short(section)!r}{hint}")


def _no_key(key: str, label: str, hint: str) -> UsageError:
    return UsageError(f"{label}: there is no key {_short(key)!r}{hint}")


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
    "int_type": ("", "must be a whole number"),
    "float_type": ("", "must be a number"),
    "bool_type": ("", "must be true or false"),
    "string_type": ("", "must be text"),
    "string_too_short": ("", "must not be empty"),
    "finite_number": ("", "must be a finite number"),
}


def _sentence(name: str, given: Mapping[str, Setting], error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    message = first["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if not first["loc"]:
        labels = ", ".join(dict.fromkeys(setting.label for setting in given.values()))
        return f"{labels}: {message}" if labels else message
    key = str(first["loc"][0])
    if key not in given:
        return f"{name}.{key} has no default: give it with --set {name}.{key}=VALUE"
    argument, phrase = _PHRASES.get(first["type"], ("", ""))
    limit = first.get("ctx", {}).get(argument)
    said = phrase.format(limit) if phrase else message
    return f"{given[key].label}: {name}.{key} {said}, got {_shown(first['input'])}"


def _shown(value: object) -> str:
    """A value as JSON, shortened where it is long."""
    try:
        return _short(json.dumps(value, default=repr))
    except (ValueError, RecursionError, TypeError):
        return type(value).__name__


def _short(text: str) -> str:
    """On one line, with what cannot be printed escaped, and shortened where it is long."""
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return text if len(text) <= 80 else f"{text[:60]}... ({len(text)} characters)"
