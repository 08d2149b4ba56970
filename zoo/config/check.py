"""Checks of a preset and a user's settings."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.config.resolve import Setting, preset_settings, resolve, validate
from zoo.errors import UsageError
from zoo.specs import ModelSpec


def check_call(spec: ModelSpec, preset: str | None, settings: Sequence[Setting]) -> bool:
    """Returns whether the preset is valid: an invalid one is the plugin's fault.

    Raises UsageError for an unknown preset and for invalid settings of the caller.
    """
    named = [] if preset is None else preset_settings(spec, preset)
    try:
        validate(spec, named or preset_settings(spec, None))
    except UsageError:
        return False
    resolve(spec, preset, None, settings)
    return True
