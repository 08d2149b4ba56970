"""A run's README.md: the model's own text with this run's facts in it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError
from zoo.evaluation.figures import Figure, current_evaluation, protocols
from zoo.folder import CONFIG, read_metrics
from zoo.specs import ModelSpec

if TYPE_CHECKING:
    from zoo.run import Run

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


def card_values(run: Run) -> dict[str, Any]:
    """What a card says of a run."""
    lines = read_metrics(run.path)
    stored = json.loads((run.path / CONFIG).read_text("utf-8"))
    try:
        found = current_evaluation(run.path)
    except ZooError:  # a card has no room for what is damaged; `zoo evaluate` says so
        found = None
    return {
        "name": run.path.resolve().name,
        "config": stored["config"],
        "image": asdict(run.image),
        "versions": stored["versions"],
        "last": lines[-1] if lines else {},
        "parameters": sum(p.numel() for p in run.network.parameters()),
        "device": str(run.device),
        "figures": found.figures if found else (),
    }


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
    measured = _measured(values.get("figures", ()))
    return f"| | |\n|---|---|\n{table}\n{measured}\n```json\n{config}\n```"


def _measured(figures: Sequence[Figure]) -> str:
    """A table of what ``zoo evaluate`` measured, with the protocols; empty where it has not."""
    if not figures:
        return ""
    known = protocols(figures)
    rows = [f"| {one.title} | {one.number} [{known.index(one.protocol) + 1}] |" for one in figures]
    notes = [f"- [{number}] {text}" for number, text in enumerate(known, 1)]
    return "\n" + "\n".join(["| measured | |", "|---|---|", *rows, "", *notes]) + "\n"
