"""Tables of results.json, for results.md and the README."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

Record = Mapping[str, Any]

DATA = {"mnist": "MNIST", "fashion_mnist": "Fashion-MNIST", "cifar10": "CIFAR-10"}
"""Names of data in tables."""

NOTHING = "-"

_DISTANCES = ("fid_cnn", "kid_cnn", "precision_cnn", "recall_cnn")


def markdown(results: Record) -> str:
    """Returns results.md: the table and every protocol."""
    protocols: dict[str, None] = {}
    for record in results["runs"]:
        protocols |= dict.fromkeys(
            f"{record['name']}: {metric['protocol_text']}" for metric in record["metrics"]
        )
    protocols |= dict.fromkeys(
        f"{anchor['kind']}: {anchor['protocol']}" for anchor in results["anchors"]
    )
    lines = ["# Reference runs", "", summary(results), "", "## Protocols", ""]
    return "\n".join([*lines, *(f"- {text}" for text in protocols), ""])


def summary(results: Record) -> str:
    """Returns the table and its notes, as in the README."""
    return "\n".join([*_table(results), "", *_notes(results)])


def _table(results: Record) -> list[str]:
    lines = [
        "| model | data | trained for | test likelihood | paper | FID-CNN | KID-CNN | precision | recall | round trip |",  # noqa: E501
        "|---|---|---|---|---|--:|--:|--:|--:|--:|",
    ]
    rows: list[tuple[str, list[str]]] = []
    for record in results["runs"]:
        metrics = {metric["name"]: metric for metric in record["metrics"]}
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
    for anchor in results["anchors"]:
        distances = [_distance(name, anchor[name]) for name in _DISTANCES]
        data, none = data_of(anchor), [NOTHING] * 3
        rows.append((data, [f"*{anchor['kind']}*", data, *none, *distances, NOTHING]))
    groups = list(dict.fromkeys(data for data, _ in rows))
    ordered = sorted(rows, key=lambda row: groups.index(row[0]))
    return [*lines, *(f"| {' | '.join(cells)} |" for _, cells in ordered)]


def data_of(record: Record) -> str:
    """``"MNIST, 28x28, 8 bits"``: metrics compare only where this is equal."""
    image, bits = record["image"], record["image"]["bits"]
    shape = f"{image['size']}x{image['size']}, {bits} bit{'s' * (bits > 1)}"
    return f"{DATA.get(record['data'], record['data'])}, {shape}"


def trained_for(record: Record) -> str:
    speed = record["images_per_second"]
    parts = [
        f"{record['minutes']:.1f} min",
        f"{record['steps']:,} steps",
        f"{record['epochs']:.1f} epochs",
        *([f"{speed:,.0f} images/s"] if speed else []),
    ]
    return ", ".join(parts)


def likelihood(metrics: Mapping[str, Record]) -> str:
    """Nats if there is an importance-weighted bound, else bits/dim; with standard errors."""
    if weighted := metrics.get("importance_weighted_nats"):
        k = weighted["protocol"]["importance_samples"]
        return f"{_mean(metrics['nats'], 2)} nats; with k = {k:,} {_mean(weighted, 2)}"
    if bits := metrics.get("bits_per_dim"):
        return f"{_mean(bits, 3)} bits/dim"
    return "none"


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
        "Likelihoods are upper bounds on the mean of -log P(x) over the test images, ± its "
        "standard error; the VAE's are the negative ELBO and the tighter bound with k importance "
        "samples. Distances compare the test images with as many samples, at most 10,000, in the "
        f"features of a small classifier trained on the same data; samples are at "
        f"{_temperatures(runs)}. Rows with different data, sizes or bits do not compare. *Real "
        "images* are from the training split, *noise* is uniform. The last column is the largest "
        f"error of a value, from 0 to 1, after encoding and decoding {_round_trips(runs)} test "
        "images.",
        _machines(runs),
        *(sentence(run["note"]) for run in runs if run["note"]),
    ]
    return "\n\n".join(wrapped(text) for text in dict.fromkeys(texts)).splitlines()


def sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def wrapped(text: str) -> str:
    return textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False)


def _temperatures(runs: Sequence[Record]) -> str:
    """``"temperature 0.7 (NICE, Glow) and 1 (VAE)"``."""
    titles: dict[float, list[str]] = {}
    for run in runs:
        for metric in run["metrics"]:
            if metric["name"] == "fid_cnn":
                titles.setdefault(metric["protocol"]["temperature"], []).append(run["title"])
    parts = [
        f"{temperature:g} ({', '.join(dict.fromkeys(names))})"
        for temperature, names in sorted(titles.items())
    ]
    return "temperature " + " and ".join([", ".join(parts[:-1]), *parts[-1:]]).removeprefix(" and ")


def _round_trips(runs: Sequence[Record]) -> str:
    counts = sorted({run["round_trip"]["images"] for run in runs if run["round_trip"]})
    return " or ".join(map(str, counts)) or "no"


def _machines(runs: Sequence[Record]) -> str:
    from zoo.system.hardware import hardware_text

    machines = dict.fromkeys(
        f"{hardware_text(run['hardware'])}; torch {run['versions']['torch']}" for run in runs
    )
    seeds = sorted({run["seed"] for run in runs})
    precision = ", float32" if {run["hardware"]["device"] for run in runs} == {"cpu"} else ""
    return f"Seed {', '.join(map(str, seeds))}{precision}. Trained on {'; and on '.join(machines)}."
