"""What a metric is, and how metrics.json keeps metrics."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from zoo.errors import UsageError, ZooError, nearest
from zoo.runs.folder import EVALUATION, RunFolder
from zoo.system.files import write_json

FORMAT_VERSION = 2

LIKELIHOODS = ("bits_per_dim", "nats", "importance_weighted_nats")
DISTANCES = ("fid", "kid", "precision", "recall")
"""What compares samples with real images, in the features of a network."""

NAMES = (*LIKELIHOODS, *DISTANCES)
"""What can be asked for. The names of DISTANCES get a suffix that tells the features they are of,
where these are not those that papers mean: ``fid_cnn``."""

_TITLES = {
    "bits_per_dim": "bits/dim",
    "nats": "nats per image",
    "importance_weighted_nats": "importance-weighted nats per image",
    "fid": "FID",
    "kid": "KID",
}


@dataclass(frozen=True)
class Protocol:
    """How a metric was counted; ``str`` states it in words. Fields that do not apply are None.

    ``images`` real ones of a ``split`` of ``data``, of ``dimensions`` values of ``bits`` bits
    each; every draw is a function of ``seed``. ``method`` is the rest in words.

    Of likelihoods: ``importance_samples`` for each image, k. Of distances: ``samples`` drawn at
    ``temperature``; ``features`` names the network, with the first letters of its file's SHA-256,
    ``feature_dimensions`` is how many numbers it gives of an image and ``accuracy`` its own, from
    0 to 1, on the test split; ``neighbors`` is the k of precision and recall, ``subsets`` of
    ``subset_size`` images those of KID.
    """

    data: str
    split: str
    images: int
    seed: int
    bits: int
    dimensions: int
    method: str
    importance_samples: int | None = None
    samples: int | None = None
    temperature: float | None = None
    features: str | None = None
    feature_dimensions: int | None = None
    accuracy: float | None = None
    neighbors: int | None = None
    subsets: int | None = None
    subset_size: int | None = None

    def __str__(self) -> str:
        values = f"{self.dimensions:,} values of {self.bits} bit{'s' * (self.bits > 1)} each"
        real = f"{self.images:,} images of the {self.split} split of {self.data}, {values}"
        if self.samples is None:
            return f"mean over {real}, {self.method}, seed {self.seed}"
        return (
            f"{self.samples:,} samples at temperature {self.temperature:g}, seed {self.seed}, "
            f"against {real}, {self.method}"
        )


@dataclass(frozen=True)
class Metric:
    """One measured number.

    ``standard_error`` is that of a mean over images; ``deviation`` that of the subsets of a KID,
    the standard deviation over them; None where there is none. ``unit`` is empty for a pure number.
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
                f"{self.title} is not finite, but {self.value}: take weights from before the run "
                "diverged, or another feature network"
            )

    @property
    def title(self) -> str:
        """The name as people read it: ``"FID-CNN"``."""
        return title_of(self.name)

    def __str__(self) -> str:
        return f"{self.title} {self.number}"

    @property
    def number(self) -> str:
        """The value, and its error where it has one."""
        error = "" if self.standard_error is None else f" ± {self.standard_error:.4f}"
        return f"{self.value:.4f}{error}"

    def as_json(self) -> dict[str, Any]:
        """What metrics.json keeps of it."""
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
    """The protocols of metrics, each once, in their order."""
    return list(dict.fromkeys(str(metric.protocol) for metric in metrics))


def title_of(name: str) -> str:
    """A metric's name as people read it; a suffix for the features follows a hyphen."""
    known = next((one for one in (name, name.partition("_")[0]) if one in _TITLES), "")
    base = known or next((one for one in DISTANCES if name.startswith(one)), name)
    rest = name.removeprefix(base).strip("_").upper()
    return _TITLES.get(base, base.replace("_", " ")) + (f"-{rest}" if rest else "")


def check_names(names: tuple[str, ...]) -> None:
    """Raise UsageError for a name that is none of NAMES."""
    for name in names:
        if name not in NAMES:
            raise UsageError(f"there is no metric {name!r}{nearest(name, NAMES)}")


@dataclass(frozen=True)
class Evaluation:
    """The metrics of a run, in the order of NAMES; ``skipped`` gives for each that could not be
    counted the reason, ``weights`` begins the SHA-256 of the weights that all of them are of."""

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
        lines += [f"{title_of(name)} was not counted: {why}" for name, why in self.skipped.items()]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """The document of metrics.json, and of ``zoo evaluate --json``."""
        return {
            "format_version": FORMAT_VERSION,
            "weights": self.weights,
            "metrics": [metric.as_json() for metric in self.metrics],
            "skipped": dict(self.skipped),
        }

    def over(self, earlier: Evaluation | None) -> Evaluation:
        """These metrics, and those of an ``earlier`` evaluation of the same weights that were not
        measured again."""
        if earlier is None or earlier.weights != self.weights:
            return self
        kept = [metric for metric in earlier if metric.name not in self]
        reasons = {**earlier.skipped, **self.skipped}
        skipped = {name: why for name, why in reasons.items() if name not in self}
        found = sorted([*self.metrics, *kept], key=lambda metric: _place(metric.name))
        return Evaluation(tuple(found), skipped, self.weights)


def read_evaluation(folder: Path) -> Evaluation | None:
    """What metrics.json of a run folder keeps; None where there is none.

    Raises ZooError for one that is damaged, or of another format.
    """
    path = folder / EVALUATION
    try:
        return parse_evaluation(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ZooError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ZooError(f"{path} is damaged: measure again with zoo evaluate {folder}") from None


def parse_evaluation(values: Mapping[str, Any]) -> Evaluation:
    """The document of metrics.json. Raises ValueError, KeyError, TypeError or AttributeError for
    what is none, or has a metric that is not finite."""
    values = upgraded_evaluation(values)
    if values["format_version"] != FORMAT_VERSION:
        raise ValueError
    return Evaluation(
        tuple(_metric(one) for one in values["metrics"]),
        {str(name): str(why) for name, why in values["skipped"].items()},
        str(values["weights"]),
    )


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
    """:func:`read_evaluation`, but None for metrics of other weights than the run now has."""
    found = read_evaluation(folder)
    return (
        found if found is not None and found.weights == RunFolder(folder).short_digest() else None
    )


def write_evaluation(folder: Path, evaluation: Evaluation) -> None:
    """Write metrics.json, whole or not at all."""
    write_json(folder / EVALUATION, evaluation.as_json())


def _metric(values: Mapping[str, Any]) -> Metric:
    value, error, deviation = (values[name] for name in ("value", "standard_error", "deviation"))
    for number in (value, error, deviation):
        if number is not None and not math.isfinite(number):
            raise ValueError
    return Metric(
        name=str(values["name"]),
        value=float(value),
        unit=str(values["unit"]),
        protocol=Protocol(**values["protocol"]),
        standard_error=error,
        deviation=deviation,
    )


def _place(name: str) -> tuple[int, str]:
    """The order of NAMES, then by features."""
    for place, one in enumerate(NAMES):
        if name == one or (name.startswith(f"{one}_") and one in DISTANCES):
            return place, name
    return len(NAMES), name
