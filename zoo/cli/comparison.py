"""The table of ``zoo compare``: Markdown that fits the terminal, in several parts if it is wide."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from zoo.cli.group import shortened
from zoo.evaluation.metrics import title_of
from zoo.report.card.markdown import escaped
from zoo.report.comparison import measured, metric_names, protocols
from zoo.report.curves import words
from zoo.report.groups import Group, Statistic

LEFT = ("run", "model", "data", "image")
"""Columns that are aligned to the left."""

LONGEST, SHORTEST = 32, 10
"""Letters of the name of a run, where there is room and where there is not."""


def table(groups: Sequence[Group], width: int) -> list[str]:
    """Returns the groups as lines of Markdown tables of at most ``width`` columns, each of which
    has the names of the groups and as many other columns as fit."""
    cells = _cells(groups)
    columns = {head: (head, *column) for head, column in cells.items()}
    widest = max(len(cell) for column in columns.values() for cell in column)
    length = max(SHORTEST, min(LONGEST, width - widest - len("|  |  |")))
    names = [found.name for found in groups]
    labels = [_label(name, length) for name in names]
    if len({*labels}) < len(labels):
        labels = [_label(f"{i}: {name}", length) for i, name in enumerate(names, 1)]
    first = ("run", *labels)
    lines: list[str] = []
    part = [first]
    for column in columns.values():
        if len(part) > 1 and _width([*part, column]) > width:
            lines += [*_markdown(part), ""]
            part = [first]
        part.append(column)
    return [*lines, *_markdown(part)]


def notes(groups: Sequence[Group]) -> list[str]:
    """Returns a sentence about what ± is, and one about the runs of each group."""
    several = [found for found in groups if len(found.rows) > 1]
    if not several:
        return []
    texts = ["± is the sample standard deviation over n runs that differ in seed alone."]
    for found in several:
        runs = ", ".join(
            f"{row.name} (seed {seed})" for row, seed in zip(found.rows, found.seeds, strict=True)
        )
        texts.append(f"{found.name}: {runs}.")
    return texts


def _cells(groups: Sequence[Group]) -> dict[str, list[str]]:
    rows = [row for found in groups for row in found.rows]
    first = [found.rows[0] for found in groups]
    known = protocols(rows)
    cells = {
        "model": [row.model for row in first],
        "data": [_label(row.data, LONGEST) for row in first],
        "image": [f"{row.shape}, {row.image.bits} bits" for row in first],
        "parameters": [f"{row.parameters:,}" for row in first],
        "steps": [_mean(found, "steps", ",.0f") for found in groups],
        "epochs": [_mean(found, "epochs", ",.1f") for found in groups],
        "minutes": [_mean(found, "minutes", ",.2f") for found in groups],
        "images/s": [_mean(found, "images_per_second", ",.0f") for found in groups],
    }
    for name in _names(row.logged for row in rows):
        cells[_label(words(name), LONGEST)] = [
            _spread(found.logged(name), len(found.rows)) for found in groups
        ]
    alone = len(groups) == len(rows)
    for name in metric_names(rows):
        head = f"{escaped(title_of(name))}, measured"
        cells[head] = [
            measured(found.rows[0], name, known) if alone else _measured(found, name, known)
            for found in groups
        ]
    return cells


def _measured(found: Group, name: str, known: Sequence[str]) -> str:
    texts = [str(row.metrics[name].protocol) for row in found.rows if name in row.metrics]
    if not texts:
        return "-"
    numbers = ", ".join(dict.fromkeys(str(known.index(text) + 1) for text in texts))
    statistic = found.measured(name)
    if statistic is None:
        return f"not comparable [{numbers}]"
    return f"{_spread(statistic, len(found.rows))} [{numbers}]"


def _spread(statistic: Statistic | None, runs: int) -> str:
    """``"2.0512 ± 0.0031"``, with n if it is not the number of ``runs``."""
    if statistic is None:
        return "-"
    text = _number(statistic.mean)
    if statistic.standard_deviation is not None:
        text += f" ± {_number(statistic.standard_deviation)}"
    return text if statistic.n == runs else f"{text} (n = {statistic.n})"


def _mean(found: Group, field: str, form: str) -> str:
    statistic = Statistic.of(getattr(row, field) for row in found.rows)
    return "-" if statistic is None else format(statistic.mean, form)


def _number(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 10**9 else f"{value:.4g}"


def _label(text: str, length: int) -> str:
    """Returns a text without meaning in Markdown, shortened to ``length`` letters."""
    for letters in range(length, 1, -1):
        label = escaped(shortened(text, letters))
        if len(label) <= length:
            return label
    return escaped(shortened(text, 1))


def _names(values: Iterable[Mapping[str, object]]) -> list[str]:
    """Returns the distinct keys of all mappings, in order."""
    return list(dict.fromkeys(name for mapping in values for name in mapping))


def _widths(columns: Sequence[Sequence[str]]) -> list[int]:
    return [max(3, *map(len, column)) for column in columns]


def _width(columns: Sequence[Sequence[str]]) -> int:
    return sum(_widths(columns)) + 3 * len(columns) + 1


def _markdown(columns: Sequence[Sequence[str]]) -> list[str]:
    """Returns the lines of a Markdown table of columns, each with its head first."""
    widths = _widths(columns)
    left = [column[0] in LEFT for column in columns]
    rules = [
        "-" * width if start else "-" * (width - 1) + ":"
        for start, width in zip(left, widths, strict=True)
    ]
    rows = [
        [cell.ljust(width) if start else cell.rjust(width)
         for cell, start, width in zip(row, left, widths, strict=True)]
        for row in zip(*columns, strict=True)
    ]  # fmt: skip
    rows.insert(1, rules)
    return [f"| {' | '.join(row)} |" for row in rows]
