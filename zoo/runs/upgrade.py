"""Documents of earlier format versions, in the current one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SUMMARY_KEYS = {"pictures": "images", "data_licence": "data_license"}
"""Keys of a config.json's summary that version 1 had under other names."""


def upgraded_config(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a config.json of format version 1 to 3 in version 4.

    Values of unexpected types stay as they are, to be refused where they are read.
    """
    if values["format_version"] == 1:
        values = _from_version_1(values)
    if values["format_version"] == 2:
        values = _from_version_2(values)
    if values["format_version"] == 3:
        values = _from_version_3(values)
    return dict(values)


def _from_version_1(values: Mapping[str, Any]) -> dict[str, Any]:
    """Version 1 had ``facts`` for ``summary``, and ``training.average`` for
    ``training.ema_decay``."""
    upgraded = {key: value for key, value in values.items() if key != "facts"}
    summary = values.get("facts", {})
    if isinstance(summary, dict):
        summary = {SUMMARY_KEYS.get(key, key): value for key, value in summary.items()}
    config = values.get("config")
    if isinstance(config, dict) and isinstance(config.get("training"), dict):
        training = {
            "ema_decay" if key == "average" else key: value
            for key, value in config["training"].items()
        }
        upgraded["config"] = {**config, "training": training}
    return {**upgraded, "format_version": 2, "summary": summary}


def _from_version_2(values: Mapping[str, Any]) -> dict[str, Any]:
    """Version 2 had no names of classes, and took missing splits by position."""
    upgraded = {**values, "format_version": 3}
    image, config = values.get("image"), values.get("config")
    if isinstance(image, dict):
        upgraded["image"] = {**image, "class_names": []}
    if isinstance(config, dict) and isinstance(data := config.get("data", {}), dict):
        upgraded["config"] = {**config, "data": {**data, "split_rule": "position"}}
    return upgraded


def _from_version_3(values: Mapping[str, Any]) -> dict[str, Any]:
    """Version 3 had no hashes, kept the last weights and, at first, had no ``training.compile``."""
    upgraded = {key: value for key, value in values.items() if key != "integrity"}
    config = values.get("config")
    if isinstance(config, dict) and isinstance(training := config.get("training", {}), dict):
        upgraded["config"] = {**config, "training": {"compile": "off", "keep": "last", **training}}
    return {**upgraded, "format_version": 4}
