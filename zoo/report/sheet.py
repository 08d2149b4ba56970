"""Figure of a comparison: samples of each run and the training curves of shared metrics."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.data.folders.own_output import SOFTWARE
from zoo.report.comparison import (
    Entry,
    Row,
    differences,
    footnotes,
    measured,
    protocols,
    shared_metrics,
)
from zoo.report.curves import Over, frame, plot_metric
from zoo.report.grids import columns_in, grid
from zoo.report.labels import literal
from zoo.runs.folder import VALIDATION
from zoo.system.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray
    from torch import Tensor

    from zoo.model import Model


# Sizes below are in pixels.
DPI = 120
PANEL = 448
"""Width of a run's panel: a grid of 6x6 images of up to 64 pixels, or of 3x3 of 128."""

_MAX_SIZE = 128
_MARGIN = 32
_LINE = 22
_CURVES = 300
_LETTERS = 52
"""Maximum number of letters of a name on a line of a panel."""

_LETTER = 7
_MAX_LINES = 8
"""Maximum number of lines of a text below a name or the curves."""

_NAME = {"color": "black", "weight": "bold"}
_CAPTION = {"color": "0.4"}


def save_comparison(
    path: Path, entries: Sequence[Entry], rows: Sequence[Row], seed: int = 0
) -> None:
    """Plots ``entries`` with their ``rows``: samples of each with the same seed, and each metric
    that at least two share, over steps and over minutes."""
    from matplotlib.figure import Figure

    columns = len(entries) if len(entries) <= 3 else math.ceil(math.sqrt(len(entries)))
    samples = [entry.model.sample(_count(entry.model), seed=seed) for entry in entries]
    sheets = [_sheet(images) for images in samples]
    protocol_texts = protocols(rows)
    heads = [
        _name(row) + _caption(row, entry.model, images, protocol_texts)
        for row, entry, images in zip(rows, entries, samples, strict=True)
    ]
    metrics = shared_metrics(rows)
    width = columns * (PANEL + _MARGIN) + _MARGIN
    notes = _notes(rows, metrics, seed, width - 2 * _MARGIN)
    bands = [
        range(len(entries))[start : start + columns] for start in range(0, len(entries), columns)
    ]
    texts = [_LINE * max(len(heads[i]) for i in band) for band in bands]
    rooms = [max(len(sheets[i]) for i in band) + _MARGIN for band in bands]
    height = _MARGIN + sum(texts) + sum(rooms) + len(metrics) * _CURVES + len(notes) * _LINE + 16
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
    top = _MARGIN
    for band, text, room in zip(bands, texts, rooms, strict=True):
        for column, i in enumerate(band):
            left = _MARGIN + column * (PANEL + _MARGIN)
            _swatch(figure, left, top, style_of(i))
            for number, (line, font) in enumerate(heads[i]):
                indent = 32 if font is _NAME else 0
                _write(figure, left + indent, top + number * _LINE, line, font)
            figure.figimage(sheets[i], left, height - top - text - len(sheets[i]))
        top += text + room
    for metric in metrics:
        _plot_curves(figure, top, entries, metric)
        top += _CURVES
    for line in notes:
        _write(figure, _MARGIN, top, line, _CAPTION)
        top += _LINE
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DPI, metadata={"Software": SOFTWARE})


def style_of(index: int) -> dict[str, Any]:
    """Returns the color and dashes of a run's lines, distinct for the first forty runs."""
    return {"color": f"C{index % 10}", "linestyle": ("-", "--", ":", "-.")[index // 10 % 4]}


def _count(model: Model) -> int:
    return columns_in(min(model.image_spec.size, _MAX_SIZE), PANEL) ** 2


def _sheet(images: Tensor) -> NDArray[np.uint8]:
    """Returns ``[N, C, H, W]`` as a square grid, uint8 ``[H, W, 3]``; NaN is black."""
    return np.asarray(grid(_reduced(images).numpy()).convert("RGB"))


def _reduced(images: Tensor) -> Tensor:
    """Downsamples images larger than ``_MAX_SIZE`` by an integer factor."""
    from torch.nn.functional import avg_pool2d

    return avg_pool2d(images, math.ceil(images.shape[-1] / _MAX_SIZE))


Text = list[tuple[str, Mapping[str, Any]]]
"""Lines with their fonts."""


def _name(row: Row) -> Text:
    lines = textwrap.wrap(row.name, _LETTERS)
    if len(lines) > 2:
        lines = [row.name[: _LETTERS - 1] + "…", row.name[-_LETTERS:]]
    return [(line, _NAME) for line in lines]


def _caption(row: Row, model: Model, images: Tensor, protocol_texts: Sequence[str]) -> Text:
    """Returns model, data, sampling temperature and measured metrics of a run."""
    run = f"{row.model} on {row.data}, {row.shape}, {row.parameters:,} parameters"
    texts = [f"{run}, temperature {model.temperature:g}"]
    texts += [
        f"{metric.title} {measured(row, name, protocol_texts)}"
        for name, metric in row.metrics.items()
    ]
    if bad := int((~images.isfinite()).flatten(1).any(1).sum()):
        texts.append(f"{bad} of {len(images)} images are not finite")
    return [(line, _CAPTION) for text in texts for line in _wrapped(text, PANEL)]


def _notes(rows: Sequence[Row], metrics: Sequence[str], seed: int, width: int) -> list[str]:
    texts = [f"Samples of seed {seed}."]
    if any(VALIDATION + metric in row.logged for metric in metrics for row in rows):
        texts[0] += " Thin lines are training metrics, lines with dots validation metrics."
    texts += [*differences(rows), *footnotes(rows)]
    return [line for text in texts for line in _wrapped(text, width)]


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width // _LETTER, max_lines=_MAX_LINES, placeholder=" …")


def _swatch(figure: Figure, left: int, top: int, style: Mapping[str, Any]) -> None:
    """Draws the legend line of a run before its name."""
    from matplotlib.lines import Line2D

    width, height = figure.get_size_inches() * DPI
    y = 1 - (top + _LINE / 2) / height
    figure.add_artist(Line2D([left / width, (left + 24) / width], [y, y], linewidth=2.5, **style))


def _write(figure: Figure, left: int, top: int, text: str, font: Mapping[str, Any]) -> None:
    width, height = figure.get_size_inches() * DPI
    place = (left / width, 1 - (top + _LINE / 2) / height)
    figure.text(*place, literal(text), size=8, va="center", **font)


def _plot_curves(figure: Figure, top: int, entries: Sequence[Entry], metric: str) -> None:
    """Plots a metric over steps, and next to it over minutes, below ``top``."""
    width, height = figure.get_size_inches() * DPI
    half = (width - 3 * _MARGIN) / 2
    sides: tuple[Over, Over] = ("step", "minutes")
    for side, over in enumerate(sides):
        left = _MARGIN + side * (half + _MARGIN) + 64
        bottom = height - top - _CURVES + 72
        size = (half - 64) / width, (_CURVES - 88) / height
        axes = figure.add_axes((left / width, bottom / height, *size))
        shown: list[float] = []
        for i, entry in enumerate(entries):
            style = style_of(i)
            lines = entry.folder.read_metrics()
            shown += plot_metric(axes, lines, metric, over, ({**style, "alpha": 0.6}, style))
        frame(axes, shown, metric)
        axes.set_xlabel(over, size=9)
        axes.yaxis.label.set_fontsize(9)
        axes.tick_params(labelsize=8)
