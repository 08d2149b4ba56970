"""New cards from a model's text, and existing cards with their parts written again."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from zoo.errors import ZooError
from zoo.plugins.owner import FindOwner
from zoo.report.card import front, markdown, parts
from zoo.report.card.metrics import TASK, metrics_part, updated_index
from zoo.report.card.summary import RunSummary, read_summary, summary_part
from zoo.report.card.use import use_part
from zoo.runs.folder import CARD
from zoo.specs import ModelSpec
from zoo.system.files import read_bounded, write_text

PLAIN = """# $name: $title on $data

![samples](samples/grid.png)

A run of the model `$model`. Paper: $paper

## This run

$facts

$figures

$use

$graphs
"""
"""The text for a model whose plugin provides none."""

MAX_BYTES = 2**20
"""The largest card that is read."""

Tags = Mapping[str, bool]
"""Tags to add (True) or to remove (False)."""


def new_card(
    summary: RunSummary, graphs: str = "", tags: Tags | None = None, license: str | None = None
) -> str:
    """Card of a run from its model's text.

    Substitutes ``$name``, ``$title``, ``$model``, ``$paper`` and ``$data``, and the parts
    ``$facts`` (the summary), ``$figures`` (metrics), ``$use`` and ``$graphs``; parts that the text
    does not place follow the summary. ``graphs`` is Markdown; ``tags`` are applied to the text's.
    Raises ZooError for a text that cannot be read.
    """
    metadata, body = front.split(_model_text(summary.spec))
    words = {
        "name": markdown.escaped(summary.name),
        "title": markdown.escaped(summary.spec.title),
        "model": summary.spec.name,
        "paper": summary.spec.paper,
        "data": markdown.escaped(summary.data),
    }
    sections = _parts(summary, graphs)
    template = Template(body)
    placed = {*template.get_identifiers()}
    if "facts" not in placed:
        template = Template(f"{body.rstrip()}\n\n## This run\n\n$facts\n")
    remaining = [sections.pop(name) for name in parts.NAMES[1:] if name not in placed]
    sections["facts"] = "\n\n".join([sections["facts"], *remaining])
    values = _substituted(
        front.read(metadata), {**words, "name": summary.name, "data": summary.data}
    )
    values |= _changes(values, summary, tags or {}, license)
    values = {key: value for key, value in values.items() if value is not None}
    return front.joined(front.edited("", values), template.safe_substitute(words | sections))


def updated_card(
    text: str,
    summary: RunSummary,
    graphs: str = "",
    tags: Tags | None = None,
    license: str | None = None,
) -> str:
    """``text``, a card, with genzoo's parts and metadata as in :func:`new_card`; the rest stays.
    Raises DamagedCard if the metadata is damaged."""
    metadata, body = front.split(text)
    changes = _changes(front.read(metadata), summary, tags or {}, license)
    body = parts.replaced(body, _parts(summary, graphs))
    return front.joined(front.edited(metadata, changes), body)


def write_card(folder: Path, find: FindOwner) -> None:
    """Writes the card of a run after training. An existing card keeps what a person wrote and loses
    its graphs, which are of other weights; without any part it stays unchanged.

    Raises DamagedCard for a damaged card, ZooError for a model's text that cannot be read.
    """
    text = read_card(folder)
    if text is None:
        write_text(folder / CARD, new_card(read_summary(folder, find)))
    elif parts.names_in(text):
        summary = read_summary(folder, find, parts.repository_in(text))
        write_text(folder / CARD, updated_card(text, summary))


def write_metrics(folder: Path, find: FindOwner) -> None:
    """Writes metrics.json into the part and the metadata of a run's card, if the card has the part.
    Raises DamagedCard if the metadata is damaged."""
    text = read_card(folder)
    if text is None or "figures" not in parts.names_in(text):
        return
    metadata, body = front.split(text)
    summary = read_summary(folder, find, parts.repository_in(text))
    index = _index(front.read(metadata), summary)
    body = parts.replaced(body, {"figures": _metrics(summary)})
    write_text(folder / CARD, front.joined(front.edited(metadata, {"model-index": index}), body))


def read_card(folder: Path) -> str | None:
    """README.md of a run with ``\\n`` at line ends; None if it is missing.

    Raises DamagedCard for a file that is not text, ZooError for a larger one than MAX_BYTES.
    """
    path = folder / CARD
    try:
        return read_bounded(path, MAX_BYTES).removeprefix("\ufeff")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise front.DamagedCard(f"{path} is not UTF-8: save it as UTF-8") from None
    except OSError as error:
        raise front.DamagedCard(f"{path} cannot be read: {error.strerror or error}") from None


def _model_text(spec: ModelSpec) -> str:
    if spec.card is None:
        return PLAIN
    package, _, name = spec.card.partition(":")
    try:
        return files(package).joinpath(name).read_text(encoding="utf-8")
    except (OSError, ImportError, ValueError) as error:
        raise ZooError(f"{spec.card} cannot be read: {error}") from error


def _parts(summary: RunSummary, graphs: str) -> dict[str, str]:
    repository = summary.source if summary.on_hub else None
    return {
        "facts": parts.marked("facts", summary_part(summary)),
        "figures": _metrics(summary),
        "use": parts.marked("use", use_part(summary), repository),
        "graphs": parts.marked("graphs", graphs, repository),
    }


def _metrics(summary: RunSummary) -> str:
    return parts.marked("figures", metrics_part(summary.measured))


def _substituted(values: Any, words: Mapping[str, str]) -> Any:
    """Metadata with ``words`` substituted in each string, after parsing: words are never YAML."""
    if isinstance(values, str):
        return Template(values).safe_substitute(words)
    if isinstance(values, dict):
        return {key: _substituted(value, words) for key, value in values.items()}
    if isinstance(values, list):
        return [_substituted(value, words) for value in values]
    return values


def _changes(
    metadata: Mapping[str, Any], summary: RunSummary, tags: Tags, license: str | None
) -> dict[str, Any]:
    """The keys that genzoo adds or updates; values that a person set stay."""
    listed = metadata.get("tags")
    present = listed if isinstance(listed, list) else [] if listed is None else [listed]
    wanted = {summary.spec.name: True, summary.spec.family: True} | dict(tags)
    updated = [tag for tag in present if wanted.get(str(tag), True)]
    updated += [tag for tag, add in wanted.items() if add and tag not in updated]
    changes: dict[str, Any] = {
        "library_name": metadata.get("library_name", "genzoo"),
        "pipeline_tag": metadata.get("pipeline_tag", TASK),
        "tags": updated,
        "model-index": _index(metadata, summary),
    }
    if summary.dataset is not None:
        changes["datasets"] = metadata.get("datasets", [summary.dataset])
    if summary.parent is not None and summary.parent.repository is not None:
        changes["base_model"] = metadata.get("base_model", summary.parent.repository)
    if license is not None:
        changes["license"] = license
    return changes


def _index(metadata: Mapping[str, Any], summary: RunSummary) -> Any:
    datasets = {} if summary.dataset is None else {summary.data: summary.dataset}
    return updated_index(metadata.get("model-index"), summary.name, summary.measured, datasets)
