"""Plots study.png: validation bits/dim over steps and over seconds, a panel per comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tables import Run, Which, by_configuration

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The color-blind safe palette of Okabe and Ito.
PERMUTATIONS = {
    "reverse": ("#0072B2", "-"),
    "shuffle": ("#D55E00", "-"),
    "1x1": ("#009E73", "-"),
    "lu": ("#CC79A7", (0, (4, 1.5))),
}
"""Color and dash of each permutation; lu is dashed because it overlaps 1x1."""

PANELS: list[tuple[str, list[tuple[str, Which]]]] = [
    *(
        (f"{coupling} coupling", [(name, (name, coupling, "data")) for name in PERMUTATIONS])
        for coupling in ("additive", "affine")
    ),
    (
        "initialization of actnorm, affine coupling",
        [
            (f"{name}, {start}", (name, "affine", start))
            for name in ("reverse", "1x1")
            for start in ("zero", "data")
        ],
    ),
]
"""Title and lines of each panel; a line has a label and a configuration."""

SKIPPED = 0.2
"""Fraction of a run outside the axes: its steep start would flatten the rest."""


def plot(results: Mapping[str, Any], path: Path) -> None:
    """Writes a PNG with the mean over seeds as a line and their range as a band."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    runs = by_configuration(results)
    layout = ConstrainedLayoutEngine(wspace=0.04, hspace=0.06)
    figure = Figure(figsize=(13, 7.6), dpi=120, layout=layout)
    rows = figure.subplots(2, len(PANELS))
    low, high = _limits(results)
    for row, over in zip(rows, ("step", "seconds"), strict=True):
        end = max(run["validation"][-1][over] for run in results["runs"])
        for axes, (title, lines) in zip(row, PANELS, strict=True):
            for _, which in lines:
                _curve(axes, runs[which], over, *_style(which))
            axes.set_xlim(0, end)
            axes.set_ylim(low, high)
            _name_lines(
                axes,
                [(label, _end(runs[which], over), _style(which)[0]) for label, which in lines],
            )
            _frame(axes, over)
            if over == "step":
                axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
        row[0].set_ylabel("validation bits/dim")
    seeds = len(results["settings"]["seeds"])
    figure.suptitle(
        f"Glow on {results['settings']['data']} at {results['settings']['size']} pixels: "
        f"mean of {seeds} seeds, band from the lowest to the highest",
        x=0.01,
        ha="left",
        fontsize=12,
    )
    figure.savefig(path, format="png")


def _style(which: Which) -> tuple[str, Any]:
    permutation, _, start = which
    color, dash = PERMUTATIONS[permutation]
    return color, (0, (1, 1.2)) if start == "zero" else dash


def _curve(axes: Axes, runs: Sequence[Run], over: str, color: str, dash: Any) -> None:
    columns = list(zip(*(run["validation"] for run in runs), strict=True))
    x = [sum(point[over] for point in points) / len(points) for points in columns]
    values = [[point["bits_per_dim"] for point in points] for points in columns]
    mean = [sum(each) / len(each) for each in values]
    axes.fill_between(
        x,
        [min(each) for each in values],
        [max(each) for each in values],
        color=color,
        alpha=0.2,
        linewidth=0,
    )
    axes.plot(x, mean, color=color, linestyle=dash, linewidth=1.8)


def _end(runs: Sequence[Run], over: str) -> tuple[float, float]:
    last = [run["validation"][-1] for run in runs]
    return (
        sum(point[over] for point in last) / len(last),
        sum(point["bits_per_dim"] for point in last) / len(last),
    )


def _limits(results: Mapping[str, Any]) -> tuple[float, float]:
    """A common vertical axis, so that panels compare."""
    steps = results["settings"]["steps"]
    shown = [
        point["bits_per_dim"]
        for run in results["runs"]
        for point in run["validation"]
        if point["step"] >= SKIPPED * steps
    ]
    room = 0.04 * (max(shown) - min(shown)) or 0.1
    return min(shown) - room, max(shown) + room


def _name_lines(axes: Axes, ends: Sequence[tuple[str, tuple[float, float], str]]) -> None:
    """Labels each line with its name and last value, spaced so that labels do not overlap."""
    low, high = axes.get_ylim()
    gap = 0.055 * (high - low)
    place = -1e9
    for label, (x, y), color in sorted(ends, key=lambda end: end[1][1]):
        place = max(place + gap, y)
        axes.annotate(
            f"{label}  {y:.3f}",
            (x, y),
            (1.02 * axes.get_xlim()[1], place),
            color=color,
            fontsize=9,
            va="center",
            annotation_clip=False,
        )


def _frame(axes: Axes, over: str) -> None:
    axes.set_xlabel("steps" if over == "step" else "seconds of training, checkpoints included")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.3)
