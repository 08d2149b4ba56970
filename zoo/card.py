"""A run's README.md: the model's own text with this run's facts in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from string import Template
from typing import Any

from zoo.specs import ModelSpec

PLAIN = """---
library_name: genzoo
pipeline_tag: unconditional-image-generation
---

# $title

A run of `$model`. Paper: $paper

$facts
"""
"""The card of a model whose plugin brings no text."""


def fill_card(values: Mapping[str, Any], spec: ModelSpec) -> str:
    """The card of ``spec`` with ``$name``, ``$title``, ``$model``, ``$paper``, ``$data`` and
    ``$facts`` put in."""
    text = PLAIN
    if spec.card is not None:
        package, _, name = spec.card.partition(":")
        text = files(package).joinpath(name).read_text(encoding="utf-8")
    return Template(text).safe_substitute(
        name=values["name"],
        title=spec.title,
        model=spec.name,
        paper=spec.paper,
        data=values["config"]["data"]["source"],
        facts=_facts(values),
    )


def _facts(values: Mapping[str, Any]) -> str:
    last, image = values["last"], values["image"]
    rows = [
        ("data", values["config"]["data"]["source"]),
        (
            "picture",
            f"{image['channels']}x{image['size']}x{image['size']}, {image['bits']} bits a value",
        ),
        ("parameters", f"{values['parameters']:,}"),
        ("steps", last.get("step", 0)),
        ("epochs", last.get("epoch", 0)),
        ("training time", f"{last.get('seconds', 0) / 60:.1f} minutes on {values['device']}"),
        ("genzoo, torch", f"{values['versions']['genzoo']}, {values['versions']['torch']}"),
    ]
    rows += [
        (f"{key.replace('_', ' ')} (last logged)", f"{value:.4f}")
        for key, value in last.items()
        if key.endswith("bits_per_dim") or key.endswith("loss")
    ]
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    config = json.dumps(values["config"], indent=2)
    return f"| | |\n|---|---|\n{table}\n\n```json\n{config}\n```"
