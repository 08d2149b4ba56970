"""``zoo compare RUN RUN…``: runs side by side, as a table and an image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zoo.api import locate, read_run
from zoo.cli.group import echo_json, json_option
from zoo.cli.loading import load_network
from zoo.cli.out import unused
from zoo.errors import UsageError
from zoo.runs.folder import CONFIG, EVALUATION, METRICS, WEIGHTS
from zoo.system.console import echo

if TYPE_CHECKING:
    from zoo.report.comparison import Row


@click.command("compare")
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN...", type=click.Path())
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the samples."
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="The image, x.png. Default: compare.png, numbered if it exists.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
@json_option
def command(runs: tuple[str, ...], seed: int, out: Path | None, device: str, as_json: bool) -> None:
    """Compare runs of any models and data: a table, and an image of samples and training curves.

    The table includes the metrics of `zoo evaluate`, with their protocols below.
    """
    out = unused(Path("compare.png")) if out is None else out
    if out.suffix != ".png" or out.is_dir():
        raise UsageError(f"-o {out}: the file name must end in .png")

    from zoo.report.comparison import Entry, compare, names_of, remarks

    names_of([Path(run) for run in runs])  # refuses a duplicate run early

    for run in runs:
        locate(run, (CONFIG, WEIGHTS), optional=(METRICS, EVALUATION))
    stored = [read_run(run) for run in runs]
    loaded = [load_network(run, device) for run in stored]

    from zoo.report.sheet import save_comparison

    entries = [Entry(str(run.source or run.path), run, run.folder) for run in loaded]
    rows = compare(entries)
    save_comparison(out, entries, rows, seed)
    if as_json:
        echo_json(
            {
                "runs": [
                    asdict(row)
                    | {"metrics": {name: metric.as_json() for name, metric in row.metrics.items()}}
                    for row in rows
                ],
                "remarks": remarks(rows),
                "plot": str(out),
            }
        )
        return
    echo(*table(rows))
    for text in (*remarks(rows), f"plot: {out}"):
        echo("", text)


def table(rows: Sequence[Row]) -> list[str]:
    """Returns the rows as lines of an aligned Markdown table."""
    from zoo.evaluation.metrics import title_of
    from zoo.report.card.markdown import escaped
    from zoo.report.comparison import measured, metric_names, protocols
    from zoo.report.curves import words

    known = protocols(rows)
    cells: dict[str, list[str]] = {
        "run": [escaped(row.name) for row in rows],
        "model": [row.model for row in rows],
        "data": [escaped(row.data) for row in rows],
        "image": [f"{row.shape}, {row.image.bits} bits" for row in rows],
        "parameters": [_cell(row.parameters) for row in rows],
        "steps": [_cell(row.steps) for row in rows],
        "epochs": [_cell(row.epochs, ",.1f") for row in rows],
        "minutes": [_cell(row.minutes, ",.2f") for row in rows],
        "images/s": [_cell(row.images_per_second, ",.0f") for row in rows],
    }
    for name in _names(row.logged for row in rows):
        cells[escaped(words(name))] = [_cell(row.logged.get(name), ".4f") for row in rows]
    for name in metric_names(rows):
        cells[f"{escaped(title_of(name))}, measured"] = [measured(row, name, known) for row in rows]
    return _markdown(cells, left=4)


def _names(values: Iterable[Mapping[str, object]]) -> list[str]:
    """Returns the distinct keys of all mappings, in order."""
    return list(dict.fromkeys(name for mapping in values for name in mapping))


def _cell(value: float | None, form: str = ",") -> str:
    return "-" if value is None else format(value, form)


def _markdown(cells: Mapping[str, Sequence[str]], left: int) -> list[str]:
    """Returns the lines of a Markdown table of columns by header, of which the first ``left`` are
    left-aligned."""
    columns = [(head, *column) for head, column in cells.items()]
    widths = [max(3, *map(len, column)) for column in columns]
    rules = ["-" * width if i < left else "-" * (width - 1) + ":" for i, width in enumerate(widths)]
    rows = [
        [cell.ljust(width) if i < left else cell.rjust(width)
         for i, (cell, width) in enumerate(zip(row, widths, strict=True))]
        for row in zip(*columns, strict=True)
    ]  # fmt: skip
    rows.insert(1, rules)
    return [f"| {' | '.join(row)} |" for row in rows]
