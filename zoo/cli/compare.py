"""``zoo compare RUN RUN…``: runs side by side, as a table and an image."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from zoo.api import locate, read_run
from zoo.cli.group import echo_json, json_option
from zoo.cli.loading import load_network
from zoo.cli.out import unused
from zoo.errors import UsageError
from zoo.runs.folder import CONFIG, EVALUATION, METRICS, WEIGHTS
from zoo.system.console import echo, terminal_width, wrapped

NARROW = 80
"""Columns of the output where it goes to no terminal."""


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

    The table includes the metrics of `zoo evaluate`, with their protocols below. Runs that differ
    in seed alone are one row, with mean and sample standard deviation.
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

    from zoo.cli.comparison import notes, table
    from zoo.report.groups import group
    from zoo.report.sheet import save_comparison

    entries = [Entry(str(run.source or run.path), run, run.folder) for run in loaded]
    rows = compare(entries)
    groups = group(entries, rows)
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
                "groups": [found.as_json() for found in groups],
            }
        )
        return
    columns = terminal_width() or NARROW
    echo(*table(groups, columns))
    for text in (*notes(groups), *remarks(rows)):
        echo("", *wrapped(text, columns))
    echo("", f"plot: {out}")
