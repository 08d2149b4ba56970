"""A run folder: the names of its files, and config.json."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from zoo.config.resolve import Setting, sectioned_settings, validate
from zoo.config.sections import Config
from zoo.errors import UsageError, ZooError
from zoo.runs.integrity import sealed
from zoo.runs.links import check_links
from zoo.runs.log import read_log
from zoo.runs.state import (
    Best,
    Change,
    Damaged,
    DataRecord,
    Integrity,
    parse_record,
    plain,
    read_json,
)
from zoo.runs.upgrade import SUMMARY_KEYS, upgraded_config
from zoo.specs import ImageSpec, ModelSpec
from zoo.system.files import (
    append_text,
    read_bounded,
    sha256_of,
    write_json,
)
from zoo.system.partial import abandoned, remove_partial

FORMAT_VERSION = 4
MAX_CLASSES = 1_000_000
CONFIG = "config.json"
WEIGHTS = "model.safetensors"
CARD = "README.md"
METRICS = "metrics.jsonl"
SAMPLES = "samples"
GRID = "samples/grid.png"
CURVE = "curve.png"
CHECKPOINTS = "checkpoints"
DATA_RECORD = "checkpoints/data.json"
"""The full path of the data and their number of images; beside the checkpoints, so never pushed."""

EVALUATION = "metrics.json"

LARGEST = sys.float_info.max
"""Integers in a file may exceed what a float holds."""

BOOKKEEPING = ("step", "epoch", "seconds", "images_per_second")
"""The keys of a line of metrics.jsonl that are not metrics."""

VALIDATION = "validation_"
"""Prefix of metrics over the validation split."""


class DamagedConfig(ZooError):
    """A config.json is not valid JSON."""


FindSpec = Callable[[str], ModelSpec]
"""Returns the spec of a model's name; raises UsageError for an unknown one."""


@dataclass(frozen=True)
class RunFolder:
    """The folder ``path`` of a run."""

    path: Path

    # config.json

    def write_config(
        self,
        *,
        model: str,
        plugin: Mapping[str, str],
        config: Config,
        image: ImageSpec,
        source: str,
        hardware: Mapping[str, Any],
        summary: Mapping[str, Any],
        changes: Sequence[Change] = (),
        integrity: Integrity | None = None,
        best: Best | None = None,
        parent: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Writes config.json, and returns its contents.

        ``source`` is the name of the data, the last component of a path; ``hardware`` is that of
        :func:`zoo.system.hardware.hardware`; ``summary`` describes the network and the data;
        ``changes`` are those of a resumed run, ``integrity`` has the hash of its weights, ``best``
        is the validation that they are of, and ``parent`` is that of a fine-tuned one.
        """
        import torch

        values = config.dump()
        values["data"]["source"] = source
        document = {
            "format_version": FORMAT_VERSION,
            "library_name": "genzoo",
            "model": model,
            "plugin": dict(plugin),
            "image": asdict(image),
            "config": values,
            "versions": {
                "genzoo": version("genzoo"),
                "torch": torch.__version__,
                "python": platform.python_version(),
            },
            "hardware": dict(hardware),
            "summary": dict(summary),
        }
        if parent is not None:
            document["parent"] = dict(parent)
        if changes:
            document["changes"] = [change.model_dump() for change in changes]
        weights = (integrity.step, integrity.weights) if integrity else (None, None)
        document = sealed(document, *weights, best)
        write_json(self.path / CONFIG, document)
        return document

    def read_config(self) -> dict[str, Any]:
        """Returns the contents of config.json, those of an older format version in the current one.

        Raises as :meth:`read_document`.
        """
        return upgraded_config(self.read_document())

    def read_document(self) -> dict[str, Any]:
        """Returns the contents of config.json as they are stored.

        Raises UsageError for a folder that is not a run, and ZooError for damaged contents, for
        another format version, and for links that lead out of the folder.
        """
        if not self.path.is_dir():
            raise UsageError(f"there is no run folder {self.path}")
        check_links(self.path)
        file = self.path / CONFIG
        try:
            values = json.loads(read_bounded(file))
        except FileNotFoundError:
            raise UsageError(f"{self.path} is not a run folder: it has no {CONFIG}") from None
        except OSError as error:
            raise ZooError(f"{file} cannot be read: {error.strerror or error}") from None
        except (ValueError, RecursionError) as error:
            raise DamagedConfig(f"{file} is damaged, not valid JSON: {error}") from None
        if not isinstance(values, dict) or values.get("library_name") != "genzoo":
            raise UsageError(f"{self.path} is not a run folder: genzoo did not write its {CONFIG}")
        stored = values.get("format_version")
        if type(stored) is not int or not 1 <= stored <= FORMAT_VERSION:
            raise ZooError(
                f"{self.path} has format version {json.dumps(stored)} and this genzoo "
                f"({version('genzoo')}) reads {FORMAT_VERSION}: use the genzoo that wrote it"
            )
        return values

    def parse_config(
        self, values: Mapping[str, Any], find: FindSpec
    ) -> tuple[ModelSpec, Config, ImageSpec]:
        """Returns the spec, the validated configuration and the image spec of a config.json.

        Raises UsageError for a model that is not installed and for values out of bounds.
        """
        label = str(self.path / CONFIG)
        model = values.get("model")
        if not isinstance(model, str):
            raise UsageError(f"{label}: model must be the name of a model, got {json.dumps(model)}")
        try:
            spec = find(model)
        except UsageError as error:
            raise UsageError(f"{label}: {error}{_origin(values)}") from None
        settings = sectioned_settings(spec, values.get("config"), label)
        image = _image_spec(spec, settings, values.get("image"), label)
        return spec, validate(spec, settings), image

    def remove_partial(self) -> None:
        """Removes the temporary files and folders of killed commands; raises ZooError for links
        that lead out of the folder."""
        check_links(self.path)
        for folder in self._folders:
            remove_partial(folder)

    def abandoned(self) -> list[Path]:
        """Returns the temporary files and folders of killed commands."""
        return [path for folder in self._folders for path in abandoned(folder)]

    @property
    def _folders(self) -> list[Path]:
        return [self.path / name for name in (".", CHECKPOINTS, SAMPLES, "onnx")]

    # Weights and data

    def weights_digest(self) -> str | None:
        """Returns the SHA-256 of the weights; None without weights."""
        try:
            return sha256_of(self.path / WEIGHTS)
        except FileNotFoundError:
            return None

    def short_digest(self) -> str:
        """Returns the first twelve digits of the SHA-256 of the weights; raises FileNotFoundError
        without weights."""
        return short_hash(self.path / WEIGHTS)

    def read_data_record(self) -> dict[str, Any]:
        """Returns ``source`` and ``images`` of the data of the last training; empty for a run
        without its checkpoints."""
        try:
            stored = read_json(self.path / DATA_RECORD)
            if isinstance(stored, dict):
                stored = {SUMMARY_KEYS.get(key, key): value for key, value in stored.items()}
            return dict(plain(parse_record(stored, DataRecord, DATA_RECORD)))
        except Damaged:
            return {}

    # metrics.jsonl

    def read_metrics(self) -> list[dict[str, Any]]:
        """Returns the lines of metrics.jsonl: see :func:`zoo.runs.log.read_log`."""
        return read_log(self.path / METRICS)

    def append_metrics(self, line: Mapping[str, Any]) -> None:
        """Appends a line to metrics.jsonl."""
        append_text(self.path / METRICS, json.dumps(line) + "\n")


def short_hash(path: Path) -> str:
    """Returns the first twelve digits of a file's SHA-256."""
    return sha256_of(path)[:12]


def numbers(line: Mapping[str, Any]) -> dict[str, float]:
    """Returns the finite numbers of a line of metrics.jsonl, by name."""
    return {
        name: value
        for name, value in line.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST
    }


def _origin(values: Mapping[str, Any]) -> str:
    plugin = values.get("plugin")
    if not isinstance(plugin, dict) or not isinstance(plugin.get("distribution"), str):
        return ""
    return f" (the run came from {plugin['distribution']}: install that)"


def _image_spec(spec: ModelSpec, settings: list[Setting], stored: object, label: str) -> ImageSpec:
    """The image spec of a config.json, within the bounds of the keys that determine it."""
    bounded = ("channels", "size", "bits")
    numbers = (*bounded, "classes")
    if (
        not isinstance(stored, dict)
        or {*stored} != {*numbers, "class_names"}
        or not all(type(stored[key]) is int for key in numbers)
        or not 0 <= stored["classes"] <= MAX_CLASSES
    ):
        raise UsageError(
            f"{label}: image must have the whole numbers channels, size, classes and bits, and "
            f"class_names, got {json.dumps(stored)[:200]}"
        )
    names = stored["class_names"]
    if (
        not isinstance(names, list)
        or not all(isinstance(name, str) for name in names)
        or len(set(names)) != len(names)
        or len(names) not in (0, stored["classes"])
    ):
        raise UsageError(
            f"{label}: image.class_names must be {stored['classes']} different names, got "
            f"{json.dumps(names)[:200]}"
        )
    image = [Setting("data", key, stored[key], f"{label}, image") for key in bounded]
    validate(spec, [*settings, *image])
    return ImageSpec(**{**stored, "class_names": tuple(names)})
