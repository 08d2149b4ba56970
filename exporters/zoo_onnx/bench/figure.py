"""Plot of images per second over the batch size: a line per backend, and the machine's limit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.data.folders.own_output import SOFTWARE
from zoo.report.labels import literal
from zoo.system.files import replacing
from zoo.system.hardware import hardware_text
from zoo_onnx.bench.backends import TITLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from zoo_onnx.bench.speed import Bench, Speed

STYLES = {"torch": ("#0072B2", "o"), "compile": ("#009E73", "s"), "onnx": ("#D55E00", "^")}
"""Color and marker of each backend, from the color-blind-safe palette of Okabe and Ito."""

MIN_DISTANCE = 0.055
"""Minimum distance of two line labels, as a fraction of the axis."""


def save_figure(path: Path, result: Bench) -> None:
    """Writes the plot as PNG, atomically; bands show the quartiles."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter, NullLocator, StrMethodFormatter

    figure = Figure(figsize=(8.5, 5), dpi=120, layout="constrained")
    axes = figure.subplots()
    axes.set_xscale("log")
    axes.set_yscale("log")
    labels = []
    for name in TITLES:
        if speeds := [speed for speed in result.speeds if speed.backend == name and speed.timing]:
            labels.append(_plot_line(axes, name, speeds))
    sizes = sorted({speed.batch_size for speed in result.speeds})
    axes.set_xlim(sizes[0] / 1.15, sizes[-1] * 1.15)
    if result.limit:
        axes.axhline(result.limit, color="0.35", linestyle=(0, (5, 3)), linewidth=1.2)
        labels.append((f"limit  {result.limit:,.0f}", result.limit, "0.35"))
    low, high = axes.get_ylim()
    axes.set_ylim(low / 1.15, high * 1.15)
    _label_lines(axes, labels)
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("batch size")
    axes.set_ylabel("images per second")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.3)
    channels, height, width = result.run.image_shape
    titles = (
        f"{result.run.name}, {channels}x{height}x{width}, "
        f"{result.multiply_adds:,} multiply-adds per image",
        f"{hardware_text(result.hardware)}. Medians; bands are quartiles",
    )
    axes.set_title("\n".join(map(literal, titles)), loc="left", fontsize=10)
    with replacing(path) as partial:
        figure.savefig(partial, format="png", metadata={"Software": SOFTWARE})


def _plot_line(axes: Axes, name: str, speeds: Sequence[Speed]) -> tuple[str, float, str]:
    """Plots a backend; returns its label, its last value and its color."""
    color, marker = STYLES[name]
    sizes, rates, lower, upper = [], [], [], []
    for speed in speeds:
        assert speed.timing is not None
        fast, slow = speed.timing.quartiles()
        sizes.append(speed.batch_size)
        rates.append(speed.batch_size / speed.timing.median)
        lower.append(speed.batch_size / slow)
        upper.append(speed.batch_size / fast)
    axes.fill_between(sizes, lower, upper, color=color, alpha=0.2, linewidth=0)
    axes.plot(sizes, rates, color=color, marker=marker, markersize=5, linewidth=1.8)
    return f"{TITLES[name]}  {rates[-1]:,.0f}", rates[-1], color


def _label_lines(axes: Axes, labels: Sequence[tuple[str, float, str]]) -> None:
    """Writes each line's label at its end, moved apart where labels would overlap."""
    position = float("-inf")
    for text, value, color in sorted(labels, key=lambda label: label[1]):
        y = axes.transAxes.inverted().transform(axes.transData.transform((1, value)))[1]
        position = max(position + MIN_DISTANCE, float(y))
        axes.annotate(
            text,
            (1.015, position),
            xycoords="axes fraction",
            color=color,
            fontsize=9,
            va="center",
            annotation_clip=False,
        )
