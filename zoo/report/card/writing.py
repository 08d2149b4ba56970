"""A card from its model's text, and one that stands with its parts written anew."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from zoo.errors import ZooError
from zoo.report.card import front, markdown, parts
from zoo.report.card.facts import FindOwner, RunFacts, facts_part, read_facts
from zoo.report.card.measured import TASK, figures_part, renewed_index
from zoo.report.card.use import use_part
from zoo.runs.folder import CARD
from zoo.specs import ModelSpec
from zoo.system.files import write_text

PLAIN = """# $name: $title on $data

![samples](samples/grid.png)

A run of the model `$model`. Paper: $paper

## This run

$facts

$figures

$use

$graphs
"""
"""The card of a model whose plugin brings no text."""

Tags = Mapping[str, bool]
"""Tags that a card is to have, or not to have."""


def new_card(
    facts: RunFacts, graphs: str = "", tags: Tags | None = None, license: str | None = None
) -> str:
    """The card of a run from its model's text.

    ``$name``, ``$title``, ``$model``, ``$paper`` and ``$data`` are put into it, and the parts
    ``$facts``, ``$figures``, ``$use`` and ``$graphs``; those that it does not place follow the
    facts. ``graphs`` is Markdown, ``tags`` are more than the text's own. Raises ZooError for a text
    that cannot be read.
    """
    metadata, body = front.split(_text_of(facts.spec))
    words = {
        "name": markdown.escaped(facts.name),
        "title": markdown.escaped(facts.spec.title),
        "model": facts.spec.name,
        "paper": facts.spec.paper,
        "data": markdown.escaped(facts.data),
    }
    made = _parts(facts, graphs)
    template = Template(body)
    placed = {*template.get_identifiers()}
    if "facts" not in placed:
        template = Template(f"{body.rstrip()}\n\n## This run\n\n$facts\n")
    left = [made.pop(name) for name in parts.NAMES[1:] if name not in placed]
    made["facts"] = "\n\n".join([made["facts"], *left])
    values = _filled(front.read(metadata), {**words, "name": facts.name, "data": facts.data})
    changes = _changes(values, facts, tags or {}, license)
    changes = {key: value for key, value in (values | changes).items() if value is not None}
    return front.joined(front.edited("", changes), template.safe_substitute(words | made))


def renewed_card(
    text: str,
    facts: RunFacts,
    graphs: str = "",
    tags: Tags | None = None,
    license: str | None = None,
) -> str:
    """``text``, a card, with its parts and genzoo's keys of the metadata as :func:`new_card` has
    them; all else stays. Raises DamagedCard where the metadata are."""
    metadata, body = front.split(text)
    changes = _changes(front.read(metadata), facts, tags or {}, license)
    body = parts.replaced(body, _parts(facts, graphs))
    return front.joined(front.edited(metadata, changes), body)


def write_card(folder: Path, find: FindOwner) -> None:
    """Write the card of a run that was just trained. One that stands there keeps what a person
    wrote, loses its graphs, which are of other weights, and stays as it is without any part.

    Raises DamagedCard for one that is damaged, ZooError for a model's text that cannot be read.
    """
    text = read_card(folder)
    if text is None:
        write_text(folder / CARD, new_card(read_facts(folder, find)))
    elif parts.names_in(text):
        facts = read_facts(folder, find, parts.repository_in(text))
        write_text(folder / CARD, renewed_card(text, facts))


def write_figures(folder: Path, find: FindOwner) -> None:
    """Write the figures of metrics.json into a run's card, where it has a place for them, and into
    its metadata. Raises DamagedCard where these are."""
    text = read_card(folder)
    if text is None or "figures" not in parts.names_in(text):
        return
    metadata, body = front.split(text)
    facts = read_facts(folder, find, parts.repository_in(text))
    index = _index(front.read(metadata), facts)
    body = parts.replaced(body, {"figures": _figures(facts)})
    write_text(folder / CARD, front.joined(front.edited(metadata, {"model-index": index}), body))


def read_card(folder: Path) -> str | None:
    """README.md of a run with its lines ended as on any machine; None where there is none.

    Raises DamagedCard for a file that is no text.
    """
    try:
        return (folder / CARD).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise front.DamagedCard(f"{folder / CARD} is no UTF-8 text: save it as UTF-8") from None
    except OSError as error:
        raise front.DamagedCard(
            f"{folder / CARD} cannot be read: {error.strerror or error}"
        ) from None


def _text_of(spec: ModelSpec) -> str:
    if spec.card is None:
        return PLAIN
    package, _, name = spec.card.partition(":")
    try:
        return files(package).joinpath(name).read_text(encoding="utf-8")
    except (OSError, ImportError, ValueError) as error:
        raise ZooError(f"{spec.card} cannot be read: {error}") from error


def _parts(facts: RunFacts, graphs: str) -> dict[str, str]:
    repository = facts.load if "/" in facts.load else None
    return {
        "facts": parts.marked("facts", facts_part(facts)),
        "figures": _figures(facts),
        "use": parts.marked("use", use_part(facts), repository),
        "graphs": parts.marked("graphs", graphs, repository),
    }


def _figures(facts: RunFacts) -> str:
    return parts.marked("figures", figures_part(facts.measured))


def _filled(values: Any, words: Mapping[str, str]) -> Any:
    """Metadata of a text with words put into every value: they are data, never YAML."""
    if isinstance(values, str):
        return Template(values).safe_substitute(words)
    if isinstance(values, dict):
        return {key: _filled(value, words) for key, value in values.items()}
    return [_filled(value, words) for value in values] if isinstance(values, list) else values


def _changes(
    found: Mapping[str, Any], facts: RunFacts, tags: Tags, license: str | None
) -> dict[str, Any]:
    """What of the metadata ``found`` is to be another: what is missing, and what genzoo knows
    better. A value that a person set stays."""
    listed = found.get("tags")
    has = listed if isinstance(listed, list) else [] if listed is None else [listed]
    wanted = {facts.spec.name: True, facts.spec.family: True} | dict(tags)
    kept = [tag for tag in has if wanted.get(str(tag), True)]
    kept += [tag for tag, there in wanted.items() if there and tag not in kept]
    changes: dict[str, Any] = {
        "library_name": found.get("library_name", "genzoo"),
        "pipeline_tag": found.get("pipeline_tag", TASK),
        "tags": kept,
        "model-index": _index(found, facts),
    }
    if facts.dataset is not None:
        changes["datasets"] = found.get("datasets", [facts.dataset])
    if license is not None:
        changes["license"] = license
    return changes


def _index(found: Mapping[str, Any], facts: RunFacts) -> Any:
    types = {} if facts.dataset is None else {facts.data: facts.dataset}
    return renewed_index(found.get("model-index"), facts.name, facts.measured, types)
