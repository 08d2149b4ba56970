"""Training curves of runs, plotted with matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from zoo.data.folders.own_output import SOFTWARE
from zoo.report.labels import literal
from zoo.runs.folder import VALIDATION, numbers
from zoo.system.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Lines = Sequence[Mapping[str, Any]]
Over = Literal["step", "minutes"]

_LETTERS = 40
"""Maximum number of letters of a metric's name on an axis."""


def save_curve(path: Path, lines: Lines, metrics: Sequence[str]) -> None:
    """Plots metrics of metrics.jsonl over the steps, one panel per metric, with its validation
    line if there is one."""
    from matplotlib.figure import Figure

    count = max(1, len(metrics))
    figure = Figure(figsize=(7, 4 if count == 1 else 2.5 * count), dpi=120, layout="constrained")
    panels = figure.subplots(count, sharex=True, squeeze=False)[:, 0]
    for axes, metric in zip(panels, metrics, strict=False):
        shown = plot_metric(axes, lines, metric, "step", ({"color": "C0"}, {"color": "C1"}))
        frame(axes, shown, metric)
        if len(axes.lines) > 1:
            axes.legend(frameon=False)
    panels[-1].set_xlabel("step")
    data = BytesIO()
    figure.savefig(data, format="png", metadata={"Software": SOFTWARE})
    write_bytes(path, data.getvalue())


def plot_metric(
    axes: Axes,
    lines: Lines,
    metric: str,
    over: Over,
    styles: tuple[Mapping[str, Any], Mapping[str, Any]],
) -> list[float]:
    """Plots a metric as a line and its validation metric with dots, in the two ``styles``.

    Returns the values of the last 90 % of each line.
    """
    shown: list[float] = []
    for key, label, style in (
        (metric, "training", {"linewidth": 1.0, **styles[0]}),
        (VALIDATION + metric, "validation", {"marker": "o", "markersize": 3, **styles[1]}),
    ):
        points = _points(lines, key, over)
        if len(points) == 1:
            style = {"marker": "o", "markersize": 3, **style}
        if points:
            axes.plot(*zip(*points, strict=True), label=label, **style)
            shown += [value for _, value in points[len(points) // 10 :]]
    return shown


def frame(axes: Axes, shown: Sequence[float], metric: str) -> None:
    """Labels the y axis and limits it to the range of ``shown``, which excludes the first steps of
    a run."""
    if shown:
        low, high = min(shown), max(shown)
        margin = 0.05 * (high - low) or 0.1
        axes.set_ylim(low - margin, high + margin)
    axes.set_ylabel(literal(words(metric)[:_LETTERS]))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)


def words(metric: str) -> str:
    """Returns the name of a metric with spaces."""
    return metric.replace("_", " ")


def _points(lines: Lines, key: str, over: Over) -> list[tuple[float, float]]:
    points = []
    for line in lines:
        values = numbers(line)
        if key in values and (over == "step" or "seconds" in values):
            x = values["step"] if over == "step" else values["seconds"] / 60
            points.append((x, values[key]))
    return points
