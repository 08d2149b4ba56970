"""``zoo runs``: the runs of a folder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zoo.cli.group import columns, echo_json, json_option, shortened
from zoo.errors import UsageError, printable
from zoo.system.console import echo, say, terminal_width

if TYPE_CHECKING:
    from zoo.report.inventory import Glance

RUNS = Path("runs")

BEFORE_PATHS = ("SIZE", "AGE", "DATA", "MODEL")
"""Columns that a narrow terminal does without before paths are shortened."""

HIDDEN_FIRST = (*BEFORE_PATHS, "BEST", "STEP")
"""Columns that a narrow terminal does without, in this order."""

NARROWEST = 12
"""Minimum columns of a shortened path."""


@click.command("runs")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@json_option
def command(folder: Path | None, as_json: bool) -> None:
    """List the runs in FOLDER and below; default: runs.

    Each has its best validation metric, or a metric of `zoo evaluate`, the age of its newest file,
    and its state: training, stopped, finished or damaged.
    """
    from zoo.report.inventory import glance
    from zoo.runs.find import find_runs

    if folder is not None and not folder.is_dir():
        raise UsageError(f"{folder} does not exist: name a folder of runs")
    found = [glance(path) for path in find_runs(folder or RUNS)]
    if as_json:
        echo_json([asdict(run) | {"path": str(run.path)} for run in found])
        return
    if not found:
        say(f"there are no runs in {folder or RUNS}: zoo train starts one")
        return
    cells = table(found, time.time())
    hidden = fit(cells, terminal_width())
    echo(*columns([tuple(cells), *zip(*cells.values(), strict=True)]))
    if hidden:
        say(f"left out of this narrow terminal: {', '.join(hidden)}; --json has them")
    say(*(f"damaged: {run.path}: {run.reason}" for run in found if run.reason))


def table(runs: Sequence[Glance], now: float) -> dict[str, list[str]]:
    """Returns the cells of each column; ``now`` is the time in seconds since 1970."""
    return {
        "RUN": [printable(str(run.path)) for run in runs],
        "STATE": [run.state for run in runs],
        "MODEL": [_name(run.model) for run in runs],
        "DATA": [_name(run.data) for run in runs],
        "STEP": ["-" if run.step is None else f"{run.step:,}" for run in runs],
        "BEST": [_best(run) for run in runs],
        "AGE": ["-" if run.updated is None else age(now - run.updated) for run in runs],
        "SIZE": [size(run.bytes) for run in runs],
    }


def fit(cells: dict[str, list[str]], columns_shown: int | None) -> list[str]:
    """Removes columns, and shortens paths in their middle, until the table fits; returns the names
    of the removed columns."""
    hidden: list[str] = []
    if columns_shown is None:
        return hidden
    longest = max(map(len, cells["RUN"]))
    for name in HIDDEN_FIRST:
        short = longest if name in BEFORE_PATHS else min(longest, NARROWEST)
        if _width(cells) - longest + short <= columns_shown:
            break
        del cells[name]
        hidden.append(name)
    length = max(NARROWEST, longest - max(0, _width(cells) - columns_shown))
    cells["RUN"] = [shortened(path, length) for path in cells["RUN"]]
    return hidden


def _width(cells: dict[str, list[str]]) -> int:
    widths = [max(map(len, (head, *column))) for head, column in cells.items()]
    return sum(widths) + 2 * (len(widths) - 1)


def _name(text: str | None, length: int = 24) -> str:
    return "-" if text is None else shortened(printable(text), length)


def _best(run: Glance) -> str:
    from zoo.evaluation.metrics import title_of

    if run.best is None:
        return "-"
    return f"{run.best.value:.4g} {_name(title_of(run.best.name))}"


def age(seconds: float) -> str:
    """``"5s"``, ``"3m"``, ``"7h"``, ``"12d"``; 0s for a time to come."""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length:,.0f}{unit}"
    return f"{max(0, seconds):.0f}s"


def size(count: int) -> str:
    """``"3K"``, ``"12.5M"``, ``"1.2G"``, in powers of 1,024."""
    if count < 2**20:
        return f"{count / 2**10:.0f}K"
    return f"{count / 2**20:.1f}M" if count < 2**30 else f"{count / 2**30:,.1f}G"
