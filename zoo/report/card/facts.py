"""What a card says of a run, read from the files of its folder without torch."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.config.sections import Config
from zoo.data import digits, hub
from zoo.plugins.owner import Owner
from zoo.report.card import markdown
from zoo.report.card.measured import NOTHING, Measured, read_measured
from zoo.runs import folder as files
from zoo.runs.folder import RunFolder
from zoo.specs import ImageSpec, Latent, ModelSpec
from zoo.system.console import duration
from zoo.system.hardware import hardware_text

FindOwner = Callable[[str], Owner]
"""Returns the owner of a model's name; raises UsageError for an unknown one."""

_VERSIONS = ("genzoo", "torch", "python")


@dataclass(frozen=True)
class RunFacts:
    """A run as its card tells it.

    ``load`` is what ``zoo.load`` takes of it in code that stands in the card, the folder itself
    unless it is on the Hub. ``distribution`` is where the model's plugin comes from, ``dataset``
    the data's repository on the Hub and ``license`` the data's, None where they are not known; so
    are ``parameters`` and ``latent``. ``stored`` counts the numbers in the file of the weights.
    ``last`` is the last line of metrics.jsonl, ``pictures`` how many training had.
    """

    name: str
    spec: ModelSpec
    config: Config
    image: ImageSpec
    data: str
    load: str = "."
    distribution: str = "genzoo"
    dataset: str | None = None
    license: str | None = None
    parameters: int | None = None
    stored: int | None = None
    latent: Latent | None = None
    versions: Mapping[str, Any] = field(default_factory=dict)
    hardware: str = ""
    last: Mapping[str, Any] = field(default_factory=dict)
    pictures: int | None = None
    measured: Measured = NOTHING


def read_facts(folder: Path, find: FindOwner, repository: str | None = None) -> RunFacts:
    """What the files of a run folder say; ``repository`` is the ``user/repo`` that it is or will be
    on the Hub.

    Raises UsageError where ``folder`` is no run, or of a model that is not here; ZooError for a
    config.json that is damaged.
    """
    values = RunFolder(folder).read_config()
    spec, config, image = RunFolder(folder).parse_config(values, lambda name: find(name).spec)
    known = _mapping(values.get("facts"))
    source = config.data.source
    dataset, license = data_origin(folder, source, known)
    lines = RunFolder(folder).read_metrics()
    name = repository.partition("/")[2] if repository else folder.resolve().name
    return RunFacts(
        name=markdown.plain(name),
        spec=spec,
        config=config,
        image=image,
        data=markdown.plain(source),
        load=repository or ".",
        distribution=find(spec.name).plugin.reference()["distribution"],
        dataset=dataset,
        license=license,
        parameters=_count(known.get("parameters")),
        stored=numbers_in(folder / files.WEIGHTS),
        latent=_latent(known.get("latent")),
        versions=_mapping(values.get("versions")),
        hardware=_hardware(values.get("hardware")),
        last=lines[-1] if lines else {},
        pictures=_count(known.get("pictures")),
        measured=read_measured(folder),
    )


def facts_part(facts: RunFacts) -> str:
    """A table of what the run is, and its configuration."""
    last, image = facts.last, facts.image
    seconds = _number(last.get("seconds")) or 0.0
    rows: list[tuple[str, str]] = [
        ("data", _data(facts)),
        ("licence of the data", markdown.escaped(facts.license or "not known to genzoo")),
        (
            "picture",
            f"{image.channels}x{image.size}x{image.size}, {image.bits} bit{'s' * (image.bits > 1)} "
            "a value",
        ),
        ("parameters", "" if facts.parameters is None else f"{facts.parameters:,}"),
        ("numbers in the weights", _stored(facts)),
        ("steps", str(_count(last.get("step")) or 0)),
        ("epochs", f"{_number(last.get('epoch')) or 0:g}"),
        ("training time", duration(seconds)),
        ("pictures a second", _speed(facts, seconds)),
        ("trained on", markdown.escaped(facts.hardware)),
        ("seed", str(facts.config.training.seed)),
        ("genzoo, torch, Python", _versions(facts)),
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
    said = [markdown.table(("", "this run"), rows)]
    odd = [name for name, value in logged.items() if not math.isfinite(value)]
    if odd:
        names = markdown.escaped(", ".join(odd))
        said.append(f"Left out, for what was logged last is not finite: {names}.")
    config = markdown.code("json", markdown.as_json(facts.config.dump()))
    said.append(f"<details>\n<summary>Configuration</summary>\n\n{config}\n\n</details>")
    return "\n\n".join(said)


def numbers_in(path: Path) -> int | None:
    """How many numbers the tensors of a safetensors file have, by its header; None for a file that
    is missing or damaged."""
    try:
        with open(path, "rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            if size > path.stat().st_size:
                return None
            header = json.loads(file.read(size))
        shapes = [one["shape"] for name, one in header.items() if name != "__metadata__"]
        return sum(math.prod(shape) for shape in shapes)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, struct.error):
        return None


def data_origin(
    folder: Path, source: str, known: Mapping[str, Any]
) -> tuple[str | None, str | None]:
    """Returns the data's repository on the Hub and the data's license, None where unknown.

    ``known`` are the ``facts`` of config.json, recorded in training; without them, ``source``
    decides where it names a known data set and not a path.
    """
    if known:
        found = [known.get(key) for key in ("dataset", "data_licence")]
        dataset, license = (markdown.plain(one) if isinstance(one, str) else None for one in found)
        known_there = dataset is not None and hub.REPOSITORY.fullmatch(dataset)
        return dataset if known_there else None, license or None
    if RunFolder(folder).read_data_record().get("source", source) != source:
        return None, None
    if source == digits.NAME:
        return None, digits.LICENSE
    return hub.repository_of(source), hub.SETS[source].license if source in hub.SETS else None


def _data(facts: RunFacts) -> str:
    name = markdown.escaped(facts.data)
    if facts.dataset is None:
        return name
    return f"[{name}](https://huggingface.co/datasets/{facts.dataset})"


def _stored(facts: RunFacts) -> str:
    """For a run whose parameters nobody counted when they were at hand."""
    return "" if facts.stored is None or facts.parameters is not None else f"{facts.stored:,}"


def _speed(facts: RunFacts, seconds: float) -> str:
    """The pictures that training has seen by its seconds, checkpoints included; empty where it is
    not known how many there are."""
    epoch = _number(facts.last.get("epoch"))
    if not facts.pictures or not seconds or epoch is None:
        return ""
    return f"{epoch * facts.pictures / seconds:,.0f}"


def _versions(facts: RunFacts) -> str:
    found = [facts.versions.get(name) for name in _VERSIONS]
    return ", ".join(markdown.escaped(str(one)) for one in found) if all(found) else ""


def _hardware(found: Any) -> str:
    try:
        return hardware_text(_mapping(found))
    except (KeyError, TypeError):
        return ""


def _latent(found: Any) -> Latent | None:
    """A latent as config.json keeps it; None where it is none."""
    values = _mapping(found)
    size, classes = _count(values.get("size")), _count(values.get("classes"))
    distribution = values.get("distribution")
    if size is None or classes is None or distribution not in ("normal", "uniform", "logistic"):
        return None
    return Latent(size, distribution, classes)


def _mapping(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, dict) else {}


def _count(found: Any) -> int | None:
    return found if type(found) is int and found >= 0 else None


def _number(found: Any) -> float | None:
    known = isinstance(found, int | float) and math.isfinite(found)
    return float(found) if known else None
