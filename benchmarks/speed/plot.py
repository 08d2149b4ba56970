"""The plot of bench.json: speed beside peers, memory by depth, and costs by size."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plan import Row, row_of
from results import Results, conditions

from zoo.data.folders.own_output import SOFTWARE
from zoo.system.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Pairs = list[tuple[Row, dict[str, Any]]]

BLUE, GREEN, RED, PURPLE, GRAY = "#0072B2", "#009E73", "#D55E00", "#CC79A7", "0.35"
"""From the color-blind-safe palette of Okabe and Ito."""

COLORS = (BLUE, GREEN, RED, PURPLE)
MARKERS = "os^D"


def save_plot(path: Path, results: Results) -> None:
    """Writes the plot as PNG, atomically; without rows of a kind, its panel is empty."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 10), dpi=110, layout="constrained")
    grid = figure.subplots(2, 2, gridspec_kw={"height_ratios": (1.4, 1)})
    _beside_peers(grid[0][0], _rows(results, "training"), "Training: times as fast as the peer")
    _beside_peers(grid[0][1], _rows(results, "sampling"), "Sampling: times as fast as the peer")
    _memory(grid[1][0], _rows(results, "memory"))
    _costs(grid[1][1], _rows(results, "cost"))
    for axes in grid.flat:
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"genzoo on {conditions(results)}", x=0.01, ha="left", fontsize=11)
    with replacing(path) as partial:
        figure.savefig(partial, format="png", metadata={"Software": SOFTWARE})


def _rows(results: Results, kind: str) -> Pairs:
    records = [r for r in results["rows"].values() if r["row"]["kind"] == kind]
    return [
        (row_of(record["row"]), record["result"])
        for record in records
        if "failed" not in record["result"]
    ]


def _beside_peers(axes: Axes, rows: Pairs, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=10)
    rows = [(row, result) for row, result in rows if "times_peer" in result]
    if not rows:
        axes.set_axis_off()
        return
    labels = []
    for index, (row, result) in enumerate(rows):
        ratio = result["times_peer"]
        color = GREEN if row.compile == "on" or row.backend == "onnx" else BLUE
        axes.plot([1, ratio], [index, index], color=color, linewidth=2.5, solid_capstyle="butt")
        axes.plot(ratio, index, color=color, marker="o", markersize=6)
        axes.annotate(
            f"{ratio:.2f}",
            (ratio, index),
            (7 if ratio >= 1 else -7, 0),
            textcoords="offset points",
            ha="left" if ratio >= 1 else "right",
            va="center",
            fontsize=8,
        )
        how = row.backend or f"{row.precision}{', compiled' if row.compile == 'on' else ''}"
        labels.append(f"{row.subject.model} {row.subject.preset}, {row.batch}, {how}: {row.peer}")
    axes.axvline(1, color=GRAY, linewidth=1)
    ratios = [result["times_peer"] for _, result in rows]
    axes.set_xscale("log")
    axes.set_xlim(min(0.7, min(ratios) / 1.4), max(1.4, max(ratios) * 1.4))
    _plain_ticks(axes.xaxis, (0.25, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20, 50), axes.get_xlim())
    axes.set_yticks(range(len(labels)), labels, fontsize=8)
    axes.invert_yaxis()


def _memory(axes: Axes, rows: Pairs) -> None:
    axes.set_title(
        "Glow: memory of a step without parameters, gradients and optimizer, MiB",
        loc="left",
        fontsize=10,
    )
    lines: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row, result in rows:
        if result["rest_bytes"] is not None:
            lines[row.memory].append((row.subject.changed["depth"], result["rest_bytes"] / 2**20))
    if not lines:
        axes.set_axis_off()
        return
    for (memory, points), color, marker in zip(lines.items(), COLORS, MARKERS, strict=False):
        depths, sizes = zip(*sorted(points), strict=True)
        axes.plot(depths, sizes, color=color, marker=marker, label=memory)
        for depth, size in points:
            axes.annotate(
                f"{size:,.0f}",
                (depth, size),
                (0, 7),
                textcoords="offset points",
                ha="center",
                fontsize=8,
            )
    axes.set_ylim(0, axes.get_ylim()[1] * 1.1)
    axes.set_xlabel("steps of flow per level, K")
    axes.legend(frameon=False, fontsize=9, loc="upper left")


def _costs(axes: Axes, rows: Pairs) -> None:
    axes.set_title(
        "Glow: relative cost of a step by relative size",
        loc="left",
        fontsize=10,
    )
    if not rows:
        axes.set_axis_off()
        return
    for (row, result), color, marker in zip(rows, COLORS, MARKERS, strict=False):
        points = result["points"]
        sizes = [point["size"] / points[0]["size"] for point in points]
        costs = [point["ms"] / points[0]["ms"] for point in points]
        name = {"size": "image size"}.get(over := row.over.rpartition(".")[2], over)
        label = f"{name}: exponent {result['exponent']:.2f}"
        axes.plot(sizes, costs, color=color, marker=marker, label=label)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    _plain_ticks(axes.xaxis, (1, 2, 4, 8, 16), axes.get_xlim())
    _plain_ticks(axes.yaxis, (1, 2, 4, 8, 16, 32, 64), axes.get_ylim())
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=9, loc="upper left")


def _plain_ticks(axis: Any, ticks: tuple[float, ...], limits: tuple[float, float]) -> None:
    from matplotlib.ticker import NullFormatter, NullLocator

    shown = [tick for tick in ticks if limits[0] <= tick <= limits[1]]
    axis.set_ticks(shown, [f"{tick:g}" for tick in shown])
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
