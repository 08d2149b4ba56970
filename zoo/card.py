"""A run's README.md: the model's own text with this run's facts in it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError
from zoo.evaluation.figures import Figure, current_evaluation, protocols
from zoo.files import write_text
from zoo.folder import CARD, CONFIG, read_data_facts, read_metrics
from zoo.hardware import hardware_text
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

_BEGIN, _END = "<!-- zoo evaluate: figures -->", "<!-- zoo evaluate: end -->"
"""What stands around the figures, unseen, so that new ones find their place."""

_VERSIONS = ("genzoo", "torch", "python")


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


def renew_figures(folder: Path, figures: Sequence[Figure]) -> None:
    """Put ``figures`` into the card of a run, in the place of those that stood there; the rest, and
    a card that has lost that place, stays as somebody may have made it."""
    try:
        text = (folder / CARD).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if begin and end:
        write_text(folder / CARD, before + _measured(figures) + after)


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
        "hardware": stored.get("hardware", {}),  # runs of before it was kept have none
        "pictures": read_data_facts(run.path).get("pictures"),
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
        ("training time", f"{last.get('seconds', 0) / 60:.1f} minutes"),
        ("pictures a second", _speed(values)),
        ("trained on", hardware_text(values.get("hardware", {}))),
        ("seed", values["config"]["training"]["seed"]),
        ("genzoo, torch, Python", ", ".join(values["versions"][key] for key in _VERSIONS)),
    ]
    rows = [(name, value) for name, value in rows if value != ""]
    rows += [
        (f"{key.replace('_', ' ')} (last logged)", f"{value:.4f}")
        for key, value in last.items()
        if key.endswith("bits_per_dim") or key.endswith("loss")
    ]
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    config = json.dumps(values["config"], indent=2)
    measured = _measured(values.get("figures", ()))
    return f"| | |\n|---|---|\n{table}\n\n{measured}\n\n```json\n{config}\n```"


def _speed(values: Mapping[str, Any]) -> str:
    """The pictures that training has seen by its seconds, checkpoints included; empty where it is
    not known how many there are."""
    last, pictures = values["last"], values.get("pictures")
    if not pictures or not last.get("seconds"):
        return ""
    return f"{last.get('epoch', 0) * pictures / last['seconds']:,.0f}"


def _measured(figures: Sequence[Figure]) -> str:
    """A table of what ``zoo evaluate`` measured, with the protocols, between the two marks."""
    if not figures:
        return f"{_BEGIN}\n{_END}"
    known = protocols(figures)
    rows = [f"| {one.title} | {one.number} [{known.index(one.protocol) + 1}] |" for one in figures]
    notes = [f"- [{number}] {text}" for number, text in enumerate(known, 1)]
    lines = [_BEGIN, "", "| measured | |", "|---|---|", *rows, "", *notes, "", _END]
    return "\n".join(lines)
