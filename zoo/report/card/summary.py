"""The summary of a run in its card, read from the files of its folder without torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.config.sections import Config
from zoo.data import names
from zoo.errors import ZooError
from zoo.plugins.owner import FindOwner
from zoo.report.card import markdown
from zoo.report.card.metrics import NO_METRICS, CardMetrics, read_card_metrics
from zoo.runs.folder import WEIGHTS, RunFolder
from zoo.runs.integrity import best_of
from zoo.runs.parent import Parent, read_parent
from zoo.runs.state import Best
from zoo.runs.weights import tensor_shapes
from zoo.sampling.names import listed
from zoo.specs import ImageSpec, Latent, ModelSpec
from zoo.system.console import duration
from zoo.system.hardware import hardware_text

_VERSIONS = ("genzoo", "torch", "python")


@dataclass(frozen=True)
class RunSummary:
    """A run as its card describes it; None and empty values are unknown.

    Code in the card passes ``source`` to ``zoo.load``: a repository on the Hub, or the folder of
    the card. ``package`` is the distribution of the model's plugin. ``dataset`` is the repository
    of the data on the Hub, ``data_license`` their license, ``images`` the size of the training
    split. ``trained_parameters`` is their number if some do not train, and ``parent`` the run that
    this one started from. ``stored_values`` counts the elements of all tensors in the weights file.
    ``last`` is the last line of metrics.jsonl.
    """

    name: str
    spec: ModelSpec
    config: Config
    image: ImageSpec
    data: str
    source: str = "."
    package: str = "genzoo"
    dataset: str | None = None
    data_license: str | None = None
    parameters: int | None = None
    stored_values: int | None = None
    latent: Latent | None = None
    versions: Mapping[str, Any] = field(default_factory=dict)
    hardware: str = ""
    trained_parameters: int | None = None
    parent: Parent | None = None
    last: Mapping[str, Any] = field(default_factory=dict)
    best: Best | None = None
    images: int | None = None
    measured: CardMetrics = NO_METRICS

    @property
    def on_hub(self) -> bool:
        """Whether ``source`` is a repository on the Hub."""
        return "/" in self.source


def read_summary(folder: Path, find: FindOwner, repository: str | None = None) -> RunSummary:
    """Reads a run folder; ``repository`` is its ``user/repo`` on the Hub, now or after a push.

    Raises UsageError if ``folder`` is not a run, or its model is not installed; ZooError for a
    damaged config.json.
    """
    run = RunFolder(folder)
    values = run.read_config()
    spec, config, image = run.parse_config(values, lambda name: find(name).spec)
    stored = _mapping(values.get("summary"))
    source = config.data.source
    dataset, data_license = data_origin(folder, source, stored)
    lines = run.read_metrics()
    name = repository.partition("/")[2] if repository else folder.resolve().name
    return RunSummary(
        name=markdown.plain(name),
        spec=spec,
        config=config,
        image=image,
        data=markdown.plain(source),
        source=repository or ".",
        package=find(spec.name).plugin.reference()["distribution"],
        dataset=dataset,
        data_license=data_license,
        parameters=_count(stored.get("parameters")),
        trained_parameters=_count(stored.get("trained_parameters")),
        parent=read_parent(values),
        stored_values=count_values(folder / WEIGHTS),
        latent=_latent(stored.get("latent")),
        versions=_mapping(values.get("versions")),
        hardware=_hardware(values.get("hardware")),
        last=lines[-1] if lines else {},
        best=best_of(values),
        images=_count(stored.get("images")),
        measured=read_card_metrics(folder),
    )


def summary_part(summary: RunSummary) -> str:
    """Table of the run's data, size, training and machine, and its configuration."""
    last, image = summary.last, summary.image
    seconds = _number(last.get("seconds")) or 0.0
    shape = f"{image.channels}x{image.size}x{image.size}"
    rows: list[tuple[str, str]] = [
        ("fine-tuned from", _parent(summary.parent)),
        ("data", _data(summary)),
        ("data license", markdown.escaped(summary.data_license or "unknown")),
        ("image", f"{shape}, {image.bits} bit{'s' * (image.bits > 1)} per value"),
        ("classes", _classes(summary)),
        ("parameters", _parameters(summary)),
        ("stored values", _stored_values(summary)),
        ("missing splits", f"by {summary.config.data.split_rule}"),
        ("steps", str(_count(last.get("step")) or 0)),
        ("weights", "" if summary.best is None else markdown.escaped(str(summary.best))),
        ("epochs", f"{_number(last.get('epoch')) or 0:g}"),
        ("training time", duration(seconds)),
        ("images per second", _throughput(summary, seconds)),
        ("hardware", markdown.escaped(summary.hardware)),
        ("seed", str(summary.config.training.seed)),
        ("genzoo, torch, Python", _versions(summary)),
    ]
    rows = [(name, value) for name, value in rows if value]
    logged = {
        name.replace("_", " "): value
        for name, value in last.items()
        if name.endswith(("bits_per_dim", "loss")) and isinstance(value, int | float)
    }
    rows += [
        (f"{markdown.escaped(name)} (last logged)", f"{value:.4f}")
        for name, value in logged.items()
        if math.isfinite(value)
    ]
    paragraphs = [markdown.table(("", "this run"), rows)]
    not_finite = [name for name, value in logged.items() if not math.isfinite(value)]
    if not_finite:
        names = markdown.escaped(", ".join(not_finite))
        paragraphs.append(f"Omitted, as the last logged value is not finite: {names}.")
    config = markdown.code("json", markdown.as_json(summary.config.dump()))
    details = f"<details>\n<summary>Configuration</summary>\n\n{config}\n\n</details>"
    return "\n\n".join([*paragraphs, details])


def count_values(path: Path) -> int | None:
    """Number of elements of all tensors in a safetensors file, from its header; None if the file is
    missing or damaged."""
    try:
        return sum(math.prod(shape) for shape in tensor_shapes(path).values())
    except ZooError:
        return None


def data_origin(
    folder: Path, source: str, stored: Mapping[str, Any]
) -> tuple[str | None, str | None]:
    """Repository of the data on the Hub and license of the data, each None if unknown.

    ``stored`` is ``summary`` of config.json, recorded by training; without it, as in older runs,
    the name ``source`` decides, unless it was a path.
    """
    if stored:
        values = [stored.get(key) for key in ("dataset", "data_license")]
        dataset, license = (
            markdown.plain(value) if isinstance(value, str) else None for value in values
        )
        valid = dataset is not None and names.REPOSITORY.fullmatch(dataset)
        return dataset if valid else None, license or None
    if RunFolder(folder).read_data_record().get("source", source) != source:
        return None, None
    origin = names.origin(source)
    return (origin.repository, origin.license) if origin else (None, None)


def _parent(parent: Parent | None) -> str:
    """The parent of a fine-tuned run with the terms of its weights and data; empty without one."""
    if parent is None:
        return ""
    source = markdown.escaped(parent.source)
    if repository := parent.repository:
        commit = parent.source.partition("@")[2]
        source = f"[{source}](https://huggingface.co/{repository}/tree/{commit})"
    origin = f"{parent.model} on {parent.data}, weights {parent.weights[:12]}"
    terms = (
        f"license: {parent.license or 'unknown'}; data license: {parent.data_license or 'unknown'}"
    )
    return f"{source}, {markdown.escaped(origin)} ({markdown.escaped(terms)})"


def _parameters(summary: RunSummary) -> str:
    if summary.parameters is None:
        return ""
    trained = summary.trained_parameters
    more = "" if trained is None else f", {trained:,} of them trained"
    return f"{summary.parameters:,}{more}"


def _data(summary: RunSummary) -> str:
    name = markdown.escaped(summary.data)
    if summary.dataset is None:
        return name
    return f"[{name}](https://huggingface.co/datasets/{summary.dataset})"


def _classes(summary: RunSummary) -> str:
    """The names of the classes of a conditional run; empty for another."""
    if summary.latent is None or not summary.latent.classes:
        return ""
    names = summary.image.class_names
    return markdown.escaped(listed(names) if names else f"{summary.latent.classes}, without names")


def _stored_values(summary: RunSummary) -> str:
    """For older runs, which do not store the number of parameters."""
    if summary.stored_values is None or summary.parameters is not None:
        return ""
    return f"{summary.stored_values:,}"


def _throughput(summary: RunSummary, seconds: float) -> str:
    """Training images per second, checkpoints included; empty if their number is unknown."""
    epoch = _number(summary.last.get("epoch"))
    if not summary.images or not seconds or epoch is None:
        return ""
    return f"{epoch * summary.images / seconds:,.0f}"


def _versions(summary: RunSummary) -> str:
    versions = [summary.versions.get(name) for name in _VERSIONS]
    return ", ".join(markdown.escaped(str(text)) for text in versions) if all(versions) else ""


def _hardware(value: Any) -> str:
    try:
        return hardware_text(_mapping(value))
    except (KeyError, TypeError):
        return ""


def _latent(value: Any) -> Latent | None:
    """A latent as stored in config.json; None if it is not valid."""
    values = _mapping(value)
    size, classes = _count(values.get("size")), _count(values.get("classes"))
    distribution = values.get("distribution")
    if size is None or classes is None or distribution not in ("normal", "uniform", "logistic"):
        return None
    return Latent(size, distribution, classes)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
