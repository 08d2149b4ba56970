"""Metrics, their protocols and metrics.json."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.dataclasses import dataclass as checked_dataclass

from zoo.errors import UsageError, ZooError, nearest
from zoo.runs.folder import EVALUATION, RunFolder
from zoo.specs import ModelSpec
from zoo.system.files import read_bounded, write_json

FORMAT_VERSION = 2

LIKELIHOODS = ("bits_per_dim", "nats", "importance_weighted_nats")
DISTANCES = ("fid", "kid", "precision", "recall")
"""Metrics that compare samples with real images, in the features of a network."""

NAMES = (*LIKELIHOODS, *DISTANCES)
"""All metrics. Those of DISTANCES get a suffix for features other than Inception's: ``fid_cnn``."""

_TITLES = {
    "bits_per_dim": "bits/dim",
    "nats": "nats per image",
    "importance_weighted_nats": "importance-weighted nats per image",
    "fid": "FID",
    "kid": "KID",
}


Name = Annotated[str, Field(max_length=300)]
Text = Annotated[str, Field(max_length=3000)]
Count = Annotated[int, Field(ge=0, le=2**63 - 1)]

_STRICT = ConfigDict(strict=True, allow_inf_nan=False, extra="forbid")


@checked_dataclass(frozen=True, config=_STRICT)
class Protocol:
    """The protocol of a metric; ``str`` describes it. Fields that do not apply are None.

    ``images`` is the number of real images, of a ``split`` of ``data``, with ``dimensions`` values
    of ``bits`` bits each; ``seed`` determines all random numbers. ``left_out`` counts the images of
    the split that have no class of a conditional model. Where not all others are measured,
    ``images`` are spread over these ``split_images``. ``method`` describes the rest. ``backend`` is
    the format of the exported graphs that samples or log-densities are of; None for the network.

    Likelihoods: ``importance_samples`` per image, k. Distances: the number of ``samples`` and their
    ``temperature``; ``features`` names the network, with the beginning of its file's SHA-256, of
    ``feature_dimensions`` features and, for a classifier, its test ``accuracy`` from 0 to 1;
    ``neighbors`` is the k of precision and recall; KID averages over ``subsets`` of ``subset_size``
    images.
    """

    data: Name
    split: Name
    images: Count
    seed: Count
    bits: Count
    dimensions: Count
    method: Text
    left_out: Count | None = None
    importance_samples: Count | None = None
    samples: Count | None = None
    temperature: float | None = None
    features: Name | None = None
    feature_dimensions: Count | None = None
    accuracy: float | None = None
    neighbors: Count | None = None
    subsets: Count | None = None
    subset_size: Count | None = None
    split_images: Count | None = None
    backend: Name | None = None

    def __str__(self) -> str:
        values = f"{self.dimensions:,} values of {self.bits} bit{'s' * (self.bits > 1)} each"
        of = "" if self.split_images is None else f" of the {self.split_images:,}"
        spread = "" if self.split_images is None else ", evenly spread"
        without = f", without {self.left_out:,} of no known class" if self.left_out else ""
        split = f"the {self.split} split of {self.data}"
        real = f"{self.images:,}{of} images of {split}{spread}{without}, {values}"
        by = "" if self.backend is None else f", by the exported graphs ({self.backend})"
        if self.samples is None:
            return f"mean over {real}, {self.method}, seed {self.seed}{by}"
        return (
            f"{self.samples:,} samples at temperature {self.temperature:g}, seed {self.seed}, "
            f"against {real}, {self.method}{by}"
        )


@dataclass(frozen=True)
class Metric:
    """A measured value.

    ``standard_error`` is that of a mean over images, ``deviation`` the standard deviation over the
    subsets of a KID; None if not applicable. ``unit`` is empty for a dimensionless value.
    """

    name: str
    value: float
    unit: str
    protocol: Protocol
    standard_error: float | None = None
    deviation: float | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ZooError(
                f"{self.title} is {self.value}, not finite: use weights from before the run "
                "diverged, or another feature network"
            )

    @property
    def title(self) -> str:
        """The display name: ``"FID-CNN"``."""
        return title_of(self.name)

    def __str__(self) -> str:
        return f"{self.title} {self.number}"

    @property
    def number(self) -> str:
        """The value, with its standard error if there is one."""
        error = "" if self.standard_error is None else f" ± {self.standard_error:.4f}"
        return f"{self.value:.4f}{error}"

    def as_json(self) -> dict[str, Any]:
        """Returns the entry of metrics.json."""
        fields = asdict(self.protocol).items()
        return {
            "name": self.name,
            "title": self.title,
            "value": self.value,
            "standard_error": self.standard_error,
            "deviation": self.deviation,
            "unit": self.unit,
            "protocol": {name: value for name, value in fields if value is not None},
            "protocol_text": str(self.protocol),
        }


def protocols(metrics: Iterable[Metric]) -> list[str]:
    """Returns the distinct protocols of metrics, in order."""
    return list(dict.fromkeys(str(metric.protocol) for metric in metrics))


def title_of(name: str) -> str:
    """Returns the display name of a metric; the suffix of its features follows a hyphen."""
    titled = next((base for base in (name, name.partition("_")[0]) if base in _TITLES), "")
    base = titled or next((base for base in DISTANCES if name.startswith(base)), name)
    suffix = name.removeprefix(base).strip("_").upper()
    return _TITLES.get(base, base.replace("_", " ")) + (f"-{suffix}" if suffix else "")


def check_names(names: tuple[str, ...]) -> None:
    """Raises UsageError for a name that is not in NAMES."""
    for name in names:
        if name not in NAMES:
            raise UsageError(f"there is no metric {name!r}{nearest(name, NAMES)}")


def check_supported(model: str, names: Iterable[str], supported: Sequence[str]) -> None:
    """Raises UsageError for a metric that ``model`` does not support."""
    for name in names:
        if name not in supported:
            raise UsageError(f"{model} has no {title_of(name)}: it has {', '.join(supported)}")


def check_graphs(spec: ModelSpec, names: Iterable[str]) -> None:
    """Raises UsageError for a metric that the exported graphs of a model cannot give."""
    reason = no_likelihood(spec)
    if reason and (asked := [title_of(name) for name in names if name in LIKELIHOODS]):
        raise UsageError(f"{reason}, so they give no {asked[0]}")


def no_likelihood(spec: ModelSpec) -> str:
    """Returns why the exported graphs of a model give no likelihood; empty if they do."""
    if {"encode", "log_prob"} <= {*spec.capabilities}:
        return ""
    return f"the graphs of {spec.name} have no log-density"


@dataclass(frozen=True)
class Evaluation:
    """The metrics of a run, in the order of NAMES.

    ``skipped`` maps each metric that could not be measured to the reason; ``weights`` is the
    beginning of the SHA-256 of the evaluated weights.
    """

    metrics: tuple[Metric, ...]
    skipped: Mapping[str, str] = field(default_factory=dict)
    weights: str = ""

    def __iter__(self) -> Iterator[Metric]:
        return iter(self.metrics)

    def __getitem__(self, name: str) -> Metric:
        for metric in self.metrics:
            if metric.name == name:
                return metric
        known = ", ".join(metric.name for metric in self.metrics) or "none"
        raise KeyError(f"no metric {name!r} was measured, only {known}")

    def __contains__(self, name: object) -> bool:
        return any(metric.name == name for metric in self.metrics)

    def __str__(self) -> str:
        lines = [f"{metric}: {metric.protocol}" for metric in self.metrics]
        lines += [f"{title_of(name)} was not measured: {why}" for name, why in self.skipped.items()]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """Returns the document of metrics.json and ``zoo evaluate --json``."""
        return {
            "format_version": FORMAT_VERSION,
            "weights": self.weights,
            "metrics": [metric.as_json() for metric in self.metrics],
            "skipped": dict(self.skipped),
        }

    def over(self, earlier: Evaluation | None) -> Evaluation:
        """Returns these metrics and those of an ``earlier`` evaluation of the same weights that
        were not measured again."""
        if earlier is None or earlier.weights != self.weights:
            return self
        others = [metric for metric in earlier if metric.name not in self]
        reasons = {**earlier.skipped, **self.skipped}
        skipped = {name: why for name, why in reasons.items() if name not in self}
        metrics = sorted([*self.metrics, *others], key=lambda metric: _place(metric.name))
        return Evaluation(tuple(metrics), skipped, self.weights)


def read_evaluation(folder: Path) -> Evaluation | None:
    """Returns the evaluation in metrics.json of a run folder; None without the file.

    Raises ZooError for a damaged file and for another format version.
    """
    path = folder / EVALUATION
    try:
        return parse_evaluation(json.loads(read_bounded(path)))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ZooError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ZooError(f"{path} is damaged: measure again with zoo evaluate {folder}") from None


def parse_evaluation(values: Mapping[str, Any]) -> Evaluation:
    """Parses the document of metrics.json.

    Raises ValueError, KeyError, TypeError or AttributeError for anything else and for a metric that
    is not finite.
    """
    stored = _Stored.model_validate(upgraded_evaluation(values))
    metrics = (
        Metric(**vars(entry) | {"protocol": Protocol(**entry.protocol)}) for entry in stored.metrics
    )
    return Evaluation(tuple(metrics), stored.skipped, stored.weights)


class _Entry(BaseModel):
    """A metric of metrics.json; its texts are derived from the rest."""

    model_config = _STRICT | ConfigDict(extra="ignore", frozen=True, defer_build=True)

    name: Name
    value: float
    unit: Name
    protocol: dict[str, Any]
    standard_error: float | None
    deviation: float | None


class _Stored(BaseModel):
    """The document of metrics.json."""

    model_config = _STRICT | ConfigDict(extra="ignore", frozen=True, defer_build=True)

    format_version: Literal[2]
    weights: Name
    metrics: Annotated[list[_Entry], Field(max_length=1000)]
    skipped: dict[Name, Text]


def upgraded_evaluation(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the document of an earlier format version in the current one; others unchanged.

    Version 1 had ``figures``, each with ``protocol`` as text and its fields under ``facts``.
    """
    if values["format_version"] != 1:
        return values
    renamed = {"pictures": "images", "neighbours": "neighbors"}
    metrics = []
    for figure in values["figures"]:
        rest = {key: value for key, value in figure.items() if key not in ("facts", "protocol")}
        fields = {renamed.get(key, key): value for key, value in figure["facts"].items()}
        metrics.append({**rest, "protocol": fields, "protocol_text": figure["protocol"]})
    rest = {key: value for key, value in values.items() if key != "figures"}
    return {**rest, "format_version": FORMAT_VERSION, "metrics": metrics}


def current_evaluation(folder: Path) -> Evaluation | None:
    """Returns :func:`read_evaluation`; None if it is of other weights than the run's."""
    evaluation = read_evaluation(folder)
    if evaluation is None or evaluation.weights != RunFolder(folder).short_digest():
        return None
    return evaluation


def write_evaluation(folder: Path, evaluation: Evaluation) -> None:
    """Writes metrics.json atomically."""
    write_json(folder / EVALUATION, evaluation.as_json())


def _place(name: str) -> tuple[int, str]:
    """Returns the sort key of a metric: the order of NAMES, then the features."""
    for place, base in enumerate(NAMES):
        if name == base or (name.startswith(f"{base}_") and base in DISTANCES):
            return place, name
    return len(NAMES), name
