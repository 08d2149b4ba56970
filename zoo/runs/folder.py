"""The files of a run folder: their names, and how config.json and metrics.jsonl are kept."""

from __future__ import annotations

import hashlib
import json
import math
import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from zoo.config.sections import Config
from zoo.errors import UsageError, ZooError
from zoo.system.files import mended, write_json, write_text
from zoo.plugins.host import Host
from zoo.config.resolve import Setting, sectioned_settings, validate
from zoo.specs import ImageSpec, ModelSpec

FORMAT_VERSION = 1
MOST_CLASSES = 1_000_000

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
CARD = "README.md"
METRICS = "metrics.jsonl"
SAMPLES = "samples"
GRID = "samples/grid.png"
CURVE = "curve.png"
CHECKPOINTS = "checkpoints"
DATA_FACTS = "checkpoints/data.json"
"""The data's full path and how many pictures they had; beside the checkpoints, so never pushed."""

EVALUATION = "metrics.json"

BOOKKEEPING = ("step", "epoch", "seconds", "images_per_second")
"""What a line of metrics.jsonl has beside its metrics."""

VALIDATION = "validation_"
"""How the names of metrics over the validation split begin."""


def write_config(
    folder: Path,
    host: Host,
    model: str,
    config: Config,
    image: ImageSpec,
    source: str,
    hardware: Mapping[str, Any],
    facts: Mapping[str, Any],
) -> None:
    """Write config.json; ``source`` is what the data are called, a path's last component,
    ``hardware`` what :func:`zoo.system.hardware.hardware` says of the machine that trains, ``facts`` what
    is known of network and data while they are at hand."""
    import torch

    values = config.dump()
    values["data"]["source"] = source
    write_json(
        folder / CONFIG,
        {
            "format_version": FORMAT_VERSION,
            "library_name": "genzoo",
            "model": model,
            "plugin": host.owner(model).reference(),
            "image": asdict(image),
            "config": values,
            "versions": {
                "genzoo": version("genzoo"),
                "torch": torch.__version__,
                "python": platform.python_version(),
            },
            "hardware": dict(hardware),
            "facts": dict(facts),
        },
    )


def read_config(folder: Path) -> dict[str, Any]:
    """config.json of a run folder. Raises UsageError where ``folder`` is none, ZooError where its
    format is another."""
    if not folder.is_dir():
        raise UsageError(f"there is no run folder {folder}")
    try:
        values = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{folder} is no run folder: it has no {CONFIG}") from None
    except OSError as error:
        raise ZooError(f"{folder / CONFIG} cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise ZooError(f"{folder / CONFIG} is damaged, it is no JSON: {error}") from None
    if not isinstance(values, dict) or values.get("library_name") != "genzoo":
        raise UsageError(f"{folder} is no run folder: its {CONFIG} is not one of genzoo's")
    stored = values.get("format_version")
    if stored != FORMAT_VERSION or stored is True:
        raise ZooError(
            f"{folder} has format version {json.dumps(stored)} and this genzoo "
            f"({version('genzoo')}) reads {FORMAT_VERSION}: use the genzoo that wrote it"
        )
    return values


def parse_config(folder: Path, host: Host, values: Mapping[str, Any]) -> tuple[Config, ImageSpec]:
    """The validated configuration and picture of a config.json.

    Raises UsageError for a model that is not here and for values that no run can have.
    """
    label = str(folder / CONFIG)
    model = values.get("model")
    if not isinstance(model, str):
        raise UsageError(f"{label}: model must be the name of a model, got {json.dumps(model)}")
    try:
        spec = host.spec(model)
    except UsageError as error:
        raise UsageError(f"{label}: {error}{_origin(values)}") from None
    settings = sectioned_settings(spec, values.get("config"), label)
    return validate(spec, settings), _image(spec, settings, values.get("image"), label)


def _origin(values: Mapping[str, Any]) -> str:
    plugin = values.get("plugin")
    if not isinstance(plugin, dict) or not isinstance(plugin.get("distribution"), str):
        return ""
    return f" (the run came from {plugin['distribution']}: install that)"


def _image(spec: ModelSpec, settings: list[Setting], stored: object, label: str) -> ImageSpec:
    """The picture of a config.json, within the bounds of the keys that decide on it."""
    bounded = ("channels", "size", "bits")
    if (
        not isinstance(stored, dict)
        or {*stored} != {*bounded, "classes"}
        or not all(type(value) is int for value in stored.values())
        or not 0 <= stored["classes"] <= MOST_CLASSES
    ):
        raise UsageError(
            f"{label}: image must be channels, size, classes and bits, whole numbers, got "
            f"{json.dumps(stored)[:200]}"
        )
    given = [Setting("data", key, stored[key], f"{label}, image") for key in bounded]
    validate(spec, [*settings, *given])
    return ImageSpec(**stored)


def weights_digest(folder: Path) -> str | None:
    """The SHA-256 of a run's weights, by which what was made of them is known; None without any."""
    try:
        with open(folder / WEIGHTS, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None


def read_data_facts(folder: Path) -> dict[str, Any]:
    """``source`` and ``pictures`` of a run's data, as they were when it was last trained; empty for
    a run that came without its checkpoints."""
    path = folder / DATA_FACTS
    try:
        facts = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl, oldest first, up to the first that is none: a kill may have cut
    off the last."""
    try:
        text = (folder / METRICS).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    lines = []
    for line in text.splitlines():
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            break
        if not isinstance(values, dict) or not isinstance(values.get("step"), int):
            break
        lines.append(values)
    return lines


def numbers(line: Mapping[str, Any]) -> dict[str, float]:
    """The finite numbers of a line of metrics.jsonl, by name."""
    return {
        name: value
        for name, value in line.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }


def keep_metrics(folder: Path, last: int) -> None:
    """Drop the lines of steps after ``last``: a resumed run writes them again."""
    if (folder / METRICS).exists():
        lines = [line for line in read_metrics(folder) if line["step"] <= last]
        write_text(folder / METRICS, "".join(json.dumps(line) + "\n" for line in lines))


def append_metrics(folder: Path, line: Mapping[str, Any]) -> None:
    """Add a line to metrics.jsonl."""
    path = folder / METRICS
    with mended(path), open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
