"""Tables of results.md: means over seeds, and differences paired by seed."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

Run = Mapping[str, Any]
Which = tuple[str, str, str]
"""Permutation, coupling and initialization of actnorm."""

REFERENCE: Which = ("1x1", "affine", "data")
"""The paper's configuration."""

CONTRASTS: list[tuple[str, Which, Which]] = [
    *(
        (f"{new} for {old}, {coupling}", (old, coupling, "data"), (new, coupling, "data"))
        for coupling in ("additive", "affine")
        for old, new in (("reverse", "shuffle"), ("shuffle", "1x1"), ("1x1", "lu"))
    ),
    *(
        (f"affine for additive, {name}", (name, "additive", "data"), (name, "affine", "data"))
        for name in ("reverse", "shuffle", "1x1", "lu")
    ),
    *(
        (f"actnorm from data for zero, {name} affine", (name, "affine", "zero"), new)
        for name, new in (("reverse", ("reverse", "affine", "data")), ("1x1", REFERENCE))
    ),
]
"""Label, configuration before, and configuration after each change."""


def configuration_name(run: Run) -> str:
    """``"1x1, affine"``, with the initialization of actnorm if it is not from data."""
    zero = ", actnorm zero" if run["actnorm"] == "zero" else ""
    return f"{run['permutation']}, {run['coupling']}{zero}"


def by_configuration(results: Mapping[str, Any]) -> dict[Which, list[Run]]:
    """The runs of each configuration, ordered by seed."""
    grouped: dict[Which, list[Run]] = {}
    for run in sorted(results["runs"], key=lambda run: run["seed"]):
        grouped.setdefault((run["permutation"], run["coupling"], run["actnorm"]), []).append(run)
    return grouped


def bits(runs: Sequence[Run]) -> list[float]:
    return [run["test_bits_per_dim"] for run in runs]


def paired_difference(runs: Sequence[Run], others: Sequence[Run]) -> tuple[float, float]:
    """Mean over seeds of ``runs`` minus ``others`` in bits/dim, and its standard error; both have
    the same seeds in the same order."""
    differences = [a - b for a, b in zip(bits(runs), bits(others), strict=True)]
    return statistics.mean(differences), spread(differences) / math.sqrt(len(differences))


def spread(values: Sequence[float]) -> float:
    """The sample standard deviation (n - 1); NaN for a single value."""
    return statistics.stdev(values) if len(values) > 1 else math.nan


def markdown(results: Mapping[str, Any]) -> str:
    """Returns results.md: the configurations, the effect of each change, and the protocol."""
    runs = by_configuration(results)
    return "\n".join([*_configurations(runs), "", *_changes(runs), "", *_protocol(results)])


def _configurations(grouped: Mapping[Which, Sequence[Run]]) -> list[str]:
    lines = [
        "| permutation | coupling | actnorm | parameters | ms per step | test bits/dim | vs. 1x1, affine |",  # noqa: E501
        "|---|---|---|--:|--:|--:|--:|",
    ]
    for which, runs in grouped.items():
        time = statistics.mean(run["milliseconds_per_step"] for run in runs)
        if which == REFERENCE:
            difference = "0"
        else:
            difference = with_error(*paired_difference(runs, grouped[REFERENCE]), signed=True)
        cells = [
            *which,
            f"{runs[0]['parameters']:,}",
            f"{time:.1f}",
            with_error(statistics.mean(bits(runs)), spread(bits(runs))),
            difference,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _changes(grouped: Mapping[Which, Sequence[Run]]) -> list[str]:
    lines = ["| change | test bits/dim |", "|---|--:|"]
    for label, before, after in CONTRASTS:
        difference = paired_difference(grouped[after], grouped[before])
        lines.append(f"| {label} | {with_error(*difference, signed=True)} |")
    return lines


def _protocol(results: Mapping[str, Any]) -> list[str]:
    settings, runs = results["settings"], results["runs"]
    seeds = settings["seeds"]
    machines = sorted({run["machine"] for run in runs})
    errors = [run["test_standard_error"] for run in runs]
    return [
        f"In the first table ± is the standard deviation over the {len(seeds)} seeds "
        f"{', '.join(map(str, seeds))}, and for a difference, which is paired by seed, its "
        "standard error. Negative differences are improvements.",
        "",
        f"Bits/dim: {runs[0]['test_protocol']}. The sampling of test images alone gives a "
        f"standard error of up to {max(errors):.3f}, which cancels in differences, as all runs are "
        "scored on the same images.",
        "",
        f"Every run: L = {settings['levels']}, K = {settings['depth']}, width {settings['width']}, "
        f"{settings['steps']:,} steps of {settings['batch_size']} images, Adam, learning rate "
        f"{settings['learning_rate']:g} after {settings['warmup_steps']} steps of warm-up, "
        f"decaying linearly to 0, gradient norm clipped to {settings['clip_norm']:g}, float32, "
        "final weights without EMA.",
        "",
        f"Trained in {sum(run['seconds'] for run in runs) / 60:.1f} minutes in total on: "
        f"{'; and on: '.join(machines)}.",
        "",
    ]


def with_error(value: float, error: float, signed: bool = False) -> str:
    """``"3.905 ± 0.004"``; without the error if it is NaN."""
    text = f"{value:+.3f}" if signed else f"{value:.3f}"
    return text if math.isnan(error) else f"{text} ± {error:.3f}"
