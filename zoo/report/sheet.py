"""The picture of a comparison: samples of each run under its name, and the curves they share."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.report.comparison import (
    Entry,
    Row,
    differences,
    footnotes,
    measured,
    protocols,
    shared_metrics,
)
from zoo.report.curves import Over, draw_metric, frame
from zoo.report.grids import fitting, grid
from zoo.runs.folder import VALIDATION
from zoo.system.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray
    from torch import Tensor

    from zoo.model import Model


# Everything below is in pixels of the picture.
DPI = 120
PANEL = 448
"""The room of a run: a grid of 6x6 pictures of up to 64 pixels a side, or of 3x3 of 128."""

_LARGEST = 128
_MARGIN = 32
_LINE = 22
_CURVES = 300
_LETTERS = 52
"""So many letters of a name fit on a line of a panel."""

_LETTER = 7
_NAME = {"color": "black", "weight": "bold"}
_CAPTION = {"color": "0.4"}


def save_comparison(
    path: Path, entries: Sequence[Entry], rows: Sequence[Row], seed: int = 0
) -> None:
    """Draw ``entries``, whose rows are ``rows``: as many samples of each as have room, of the same
    seed, and each metric that two of them share over the steps and over the minutes."""
    from matplotlib.figure import Figure

    columns = len(entries) if len(entries) <= 3 else math.ceil(math.sqrt(len(entries)))
    samples = [entry.model.sample(_count(entry.model), seed=seed) for entry in entries]
    sheets = [_sheet(pictures) for pictures in samples]
    known = protocols(rows)
    heads = [
        _name(row) + _caption(row, entry.model, pictures, known)
        for row, entry, pictures in zip(rows, entries, samples, strict=True)
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
        for place, i in enumerate(band):
            left = _MARGIN + place * (PANEL + _MARGIN)
            _swatch(figure, left, top, style_of(i))
            for number, (line, font) in enumerate(heads[i]):
                indent = 32 if font is _NAME else 0
                _write(figure, left + indent, top + number * _LINE, line, font)
            figure.figimage(sheets[i], left, height - top - text - len(sheets[i]))
        top += text + room
    for metric in metrics:
        _draw_curves(figure, top, entries, metric)
        top += _CURVES
    for line in notes:
        _write(figure, _MARGIN, top, line, _CAPTION)
        top += _LINE
    with replacing(path) as beside:
        figure.savefig(beside, format="png", dpi=DPI)


def style_of(index: int) -> dict[str, Any]:
    """Colour and dashes of a run's lines, other ones for each of the first forty."""
    return {"color": f"C{index % 10}", "linestyle": ("-", "--", ":", "-.")[index // 10 % 4]}


def _count(model: Model) -> int:
    return fitting(min(model.image_spec.size, _LARGEST), PANEL) ** 2


def _sheet(pictures: Tensor) -> NDArray[np.uint8]:
    """``[N, C, H, W]`` as a square grid, uint8 ``[H, W, 3]``; what is not a number is black."""
    return np.asarray(grid(_reduced(pictures).numpy()).convert("RGB"))


def _reduced(pictures: Tensor) -> Tensor:
    """Pictures that are too large for their place made smaller, by a whole factor."""
    from torch.nn.functional import avg_pool2d

    return avg_pool2d(pictures, math.ceil(pictures.shape[-1] / _LARGEST))


Text = list[tuple[str, Mapping[str, Any]]]
"""Lines, each with its font."""


def _name(row: Row) -> Text:
    lines = textwrap.wrap(row.name, _LETTERS)
    if len(lines) > 2:
        lines = [row.name[: _LETTERS - 1] + "…", row.name[-_LETTERS:]]
    return [(line, _NAME) for line in lines]


def _caption(row: Row, model: Model, pictures: Tensor, known: Sequence[str]) -> Text:
    """What a run is, at what temperature its pictures were drawn, and its measured figures."""
    said = f"{row.model} on {row.data}, {row.picture}, {row.parameters:,} parameters"
    texts = [f"{said}, temperature {model.temperature:g}"]
    texts += [f"{one.title} {measured(row, name, known)}" for name, one in row.metrics.items()]
    if bad := int((~pictures.isfinite()).flatten(1).any(1).sum()):
        texts.append(f"{bad} of {len(pictures)} pictures are not finite")
    return [(line, _CAPTION) for text in texts for line in textwrap.wrap(text, PANEL // _LETTER)]


def _notes(rows: Sequence[Row], metrics: Sequence[str], seed: int, width: int) -> list[str]:
    texts = [f"Samples of seed {seed}."]
    if any(VALIDATION + metric in row.logged for metric in metrics for row in rows):
        texts[0] += " Thin lines are training, lines with dots validation."
    texts += [*differences(rows), *footnotes(rows)]
    return [line for text in texts for line in textwrap.wrap(text, width // _LETTER)]


def _swatch(figure: Figure, left: int, top: int, style: Mapping[str, Any]) -> None:
    """A piece of a run's line before its name."""
    from matplotlib.lines import Line2D

    width, height = figure.get_size_inches() * DPI
    y = 1 - (top + _LINE / 2) / height
    figure.add_artist(Line2D([left / width, (left + 24) / width], [y, y], linewidth=2.5, **style))


def _write(figure: Figure, left: int, top: int, text: str, font: Mapping[str, Any]) -> None:
    width, height = figure.get_size_inches() * DPI
    place = (left / width, 1 - (top + _LINE / 2) / height)
    figure.text(*place, text, size=8, va="center", parse_math=False, **font)


def _draw_curves(figure: Figure, top: int, entries: Sequence[Entry], metric: str) -> None:
    """A metric over the steps, and beside it over the minutes, in the room below ``top``."""
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
            shown += draw_metric(axes, lines, metric, over, ({**style, "alpha": 0.6}, style))
        frame(axes, shown, metric)
        axes.set_xlabel(over, size=9)
        axes.yaxis.label.set_fontsize(9)
        axes.tick_params(labelsize=8)
