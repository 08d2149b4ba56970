"""Images a second over the batch size, a line for each backend, below the machine's limit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.system.files import replacing
from zoo.system.hardware import hardware_text
from zoo_onnx.bench.backends import TITLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from zoo_onnx.bench.speed import Bench, Speed

# Okabe and Ito's colours, which the colour-blind tell apart.
STYLES = {"torch": ("#0072B2", "o"), "compile": ("#009E73", "s"), "onnx": ("#D55E00", "^")}
"""Colour and marker of each backend."""

NAMES = 0.055
"""Least distance of two names at the ends of lines, as a part of the axis."""


def save_figure(path: Path, found: Bench) -> None:
    """Draw what was measured, with the quartiles as a band; PNG, whole or not at all."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter, NullLocator, StrMethodFormatter

    figure = Figure(figsize=(8.5, 5), dpi=120, layout="constrained")
    axes = figure.subplots()
    axes.set_xscale("log")
    axes.set_yscale("log")
    ends = []
    for name in TITLES:
        if line := [one for one in found.speeds if one.backend == name and one.timing]:
            ends.append(_line(axes, name, line))
    sizes = sorted({one.batch_size for one in found.speeds})
    axes.set_xlim(sizes[0] / 1.15, sizes[-1] * 1.15)
    if found.limit:
        axes.axhline(found.limit, color="0.35", linestyle=(0, (5, 3)), linewidth=1.2)
        ends.append((f"limit  {found.limit:,.0f}", found.limit, "0.35"))
    low, high = axes.get_ylim()
    axes.set_ylim(low / 1.15, high * 1.15)
    _name_lines(axes, ends)
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("batch size")
    axes.set_ylabel("images a second")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.3)
    image = found.run.image
    titles = (
        f"{found.run.name}, {image.channels}x{image.size}x{image.size}, "
        f"{found.multiply_adds:,} multiply-adds a picture",
        f"{hardware_text(found.hardware)}. Medians, in bands from quartile to quartile",
    )
    axes.set_title("\n".join(titles), loc="left", fontsize=10)
    with replacing(path) as beside:
        figure.savefig(beside, format="png")


def _line(axes: Axes, name: str, speeds: Sequence[Speed]) -> tuple[str, float, str]:
    """Draw a backend; returns its name with its last value, that value and its colour."""
    color, marker = STYLES[name]
    sizes, rates, lower, upper = [], [], [], []
    for one in speeds:
        assert one.timing is not None
        fast, slow = one.timing.quartiles()
        sizes.append(one.batch_size)
        rates.append(one.batch_size / one.timing.median)
        lower.append(one.batch_size / slow)
        upper.append(one.batch_size / fast)
    axes.fill_between(sizes, lower, upper, color=color, alpha=0.2, linewidth=0)
    axes.plot(sizes, rates, color=color, marker=marker, markersize=5, linewidth=1.8)
    return f"{TITLES[name]}  {rates[-1]:,.0f}", rates[-1], color


def _name_lines(axes: Axes, ends: Sequence[tuple[str, float, str]]) -> None:
    """Write each line's name and last value at its end, moved apart where they would meet."""
    place = float("-inf")
    for words, value, color in sorted(ends, key=lambda end: end[1]):
        at = axes.transAxes.inverted().transform(axes.transData.transform((1, value)))[1]
        place = max(place + NAMES, float(at))
        axes.annotate(
            words,
            (1.015, place),
            xycoords="axes fraction",
            color=color,
            fontsize=9,
            va="center",
            annotation_clip=False,
        )
