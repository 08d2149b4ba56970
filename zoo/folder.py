"""The files of a run folder: their names, and how config.json and metrics.jsonl are kept."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from zoo.config import Config
from zoo.errors import UsageError, ZooError
from zoo.files import write_json, write_text
from zoo.plugins import Host
from zoo.settings import sectioned_settings, validate
from zoo.specs import ImageSpec

FORMAT_VERSION = 1

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
CARD = "README.md"
METRICS = "metrics.jsonl"
SAMPLES = "samples"
GRID = "samples/grid.png"
CURVE = "curve.png"
CHECKPOINTS = "checkpoints"


def write_config(
    folder: Path, host: Host, model: str, config: Config, image: ImageSpec, source: str
) -> None:
    """Write config.json; ``source`` is what the data are called, a path's last component."""
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
    except (OSError, ValueError) as error:
        raise ZooError(f"{folder / CONFIG} cannot be read: {error}") from None
    if not isinstance(values, dict) or values.get("library_name") != "genzoo":
        raise UsageError(f"{folder} is no run folder: its {CONFIG} is not one of genzoo's")
    if values.get("format_version") != FORMAT_VERSION:
        raise ZooError(
            f"{folder} has format version {values.get('format_version')!r} and this genzoo "
            f"({version('genzoo')}) reads {FORMAT_VERSION}: use the genzoo that wrote it"
        )
    return values


def parse_config(folder: Path, host: Host, values: Mapping[str, Any]) -> tuple[Config, ImageSpec]:
    """The validated configuration and picture of a config.json."""
    label = str(folder / CONFIG)
    try:
        image, spec, stored = ImageSpec(**values["image"]), host.spec(values["model"]), values["config"]
    except (KeyError, TypeError) as error:
        raise ZooError(f"{label} lacks a part that a run has: {error}") from None
    return validate(spec, sectioned_settings(spec, stored, label)), image


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl, oldest first; a last line that a kill cut off is left out."""
    try:
        text = (folder / METRICS).read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    lines = []
    for line in text.splitlines():
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return lines


def keep_metrics(folder: Path, last: int) -> None:
    """Drop the lines of steps after ``last``: a resumed run writes them again."""
    if (folder / METRICS).exists():
        lines = [line for line in read_metrics(folder) if line["step"] <= last]
        write_text(folder / METRICS, "".join(json.dumps(line) + "\n" for line in lines))


def append_metrics(folder: Path, line: Mapping[str, Any]) -> None:
    """Add a line to metrics.jsonl."""
    try:
        with open(folder / METRICS, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    except OSError as error:
        raise ZooError(f"{folder / METRICS} could not be written: {error.strerror}") from error
