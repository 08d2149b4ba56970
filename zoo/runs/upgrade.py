"""Documents of earlier format versions, in the current one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SUMMARY_KEYS = {"pictures": "images", "data_licence": "data_license"}
"""Keys of a config.json's summary that version 1 had under other names."""


def upgraded_config(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a config.json of format version 1 in version 2.

    Version 1 had ``facts`` for ``summary``, and ``training.average`` for ``training.ema_decay``.
    Values of unexpected types stay as they are, to be refused where they are read.
    """
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
