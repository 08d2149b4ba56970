"""The table of results.json, for results.md and README."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

Record = Mapping[str, Any]

DATA = {"mnist": "MNIST", "fashion_mnist": "Fashion-MNIST", "cifar10": "CIFAR-10"}
"""What data are called where people read it."""

NOTHING = "-"

_DISTANCES = ("fid_cnn", "kid_cnn", "precision_cnn", "recall_cnn")


def markdown(results: Record) -> str:
    """results.md: the table, and every protocol."""
    protocols: dict[str, None] = {}
    for record in results["runs"]:
        protocols |= dict.fromkeys(
            f"{record['name']}: {one['protocol']}" for one in record["metrics"]
        )
    protocols |= dict.fromkeys(f"{one['kind']}: {one['protocol']}" for one in results["anchors"])
    lines = ["# Reference runs", "", summary(results), "", "## Protocols", ""]
    return "\n".join([*lines, *(f"- {text}" for text in protocols), ""])


def summary(results: Record) -> str:
    """The table with what is needed to read it, as README has it."""
    return "\n".join([*_table(results), "", *_notes(results)])


def _table(results: Record) -> list[str]:
    lines = [
        "| model | data | trained for | likelihood, test | the paper's | FID-CNN | KID-CNN | precision | recall | encode, decode |",  # noqa: E501
        "|---|---|---|---|---|--:|--:|--:|--:|--:|",
    ]
    rows: list[tuple[str, list[str]]] = []
    for record in results["runs"]:
        metrics = {one["name"]: one for one in record["metrics"]}
        distances = [_distance(name, metrics.get(name, {}).get("value")) for name in _DISTANCES]
        trip = record["round_trip"]
        cells = [
            record["title"],
            data_of(record),
            trained_for(record),
            likelihood(metrics),
            record["published"],
            *distances,
            f"{trip['largest']:.1e}" if trip else NOTHING,
        ]
        rows.append((data_of(record), cells))
    for one in results["anchors"]:
        distances = [_distance(name, one[name]) for name in _DISTANCES]
        cells = [f"*{one['kind']}*", data_of(one), NOTHING, NOTHING, NOTHING, *distances, NOTHING]
        rows.append((data_of(one), cells))
    groups = list(dict.fromkeys(data for data, _ in rows))
    ordered = sorted(rows, key=lambda row: groups.index(row[0]))
    return [*lines, *(f"| {' | '.join(cells)} |" for _, cells in ordered)]


def data_of(record: Record) -> str:
    """``"MNIST, 28x28, 8 bits"``: what has to be equal for metrics to compare."""
    image, bits = record["image"], record["image"]["bits"]
    shape = f"{image['size']}x{image['size']}, {bits} bit{'s' * (bits > 1)}"
    return f"{DATA.get(record['data'], record['data'])}, {shape}"


def trained_for(record: Record) -> str:
    speed = record["pictures_per_second"]
    parts = [
        f"{record['minutes']:.1f} min",
        f"{record['steps']:,} steps",
        f"{record['epochs']:.1f} epochs",
        *([f"{speed:,.0f} pictures/s"] if speed else []),
    ]
    return ", ".join(parts)


def likelihood(metrics: Mapping[str, Record]) -> str:
    """Nats where there is an importance-weighted bound, else bits/dim; each with its standard
    error."""
    if weighted := metrics.get("importance_weighted_nats"):
        k = weighted["protocol"]["importance_samples"]
        return f"{_mean(metrics['nats'], 2)} nats; with k = {k:,} {_mean(weighted, 2)}"
    if bits := metrics.get("bits_per_dim"):
        return f"{_mean(bits, 3)} bits/dim"
    return "it has none"


def _mean(metric: Record, digits: int) -> str:
    error = metric["standard_error"]
    return f"{metric['value']:.{digits}f}" + ("" if error is None else f" ± {error:.{digits}f}")


def _distance(name: str, value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{value:.3f}" if name.startswith(("precision", "recall")) else f"{value:.3g}"


def _notes(results: Record) -> list[str]:
    runs: Sequence[Record] = results["runs"]
    texts = [
        "Likelihoods are upper bounds on -log P(x) of the test pictures, ± the standard error of "
        "their mean; a VAE's is the negative ELBO, and with k importance samples the tighter one. "
        "Distances compare as many samples as there are test pictures, at most 10,000, with those, "
        "in the features of a small classifier of the same pictures; samples are drawn at "
        f"{_warmth(runs)}. Rows of other data, sizes or bits do not compare. *Real pictures* are "
        "of the training split, *noise* is drawn uniformly. The last column is the largest "
        f"difference in a value, of 0 to 1, over {_trips(runs)} test pictures.",
        _machines(runs),
        *(sentence(run["note"]) for run in runs if run["note"]),
    ]
    return "\n\n".join(wrapped(text) for text in dict.fromkeys(texts)).splitlines()


def sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def wrapped(text: str) -> str:
    return textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False)


def _warmth(runs: Sequence[Record]) -> str:
    """``"temperature 0.7 (NICE, Glow) and 1 (VAE)"``."""
    found: dict[float, list[str]] = {}
    for run in runs:
        for one in run["metrics"]:
            if one["name"] == "fid_cnn":
                found.setdefault(one["protocol"]["temperature"], []).append(run["title"])
    parts = [
        f"{warm:g} ({', '.join(dict.fromkeys(names))})" for warm, names in sorted(found.items())
    ]
    return "temperature " + " and ".join([", ".join(parts[:-1]), *parts[-1:]]).removeprefix(" and ")


def _trips(runs: Sequence[Record]) -> str:
    counts = sorted({run["round_trip"]["pictures"] for run in runs if run["round_trip"]})
    return " or ".join(map(str, counts)) or "no"


def _machines(runs: Sequence[Record]) -> str:
    from zoo.system.hardware import hardware_text

    machines = dict.fromkeys(
        f"{hardware_text(run['hardware'])}; torch {run['versions']['torch']}" for run in runs
    )
    seeds = sorted({run["seed"] for run in runs})
    precise = ", float32" if {run["hardware"]["device"] for run in runs} == {"cpu"} else ""
    return f"Seed {', '.join(map(str, seeds))}{precise}. Trained on {'; and on '.join(machines)}."
