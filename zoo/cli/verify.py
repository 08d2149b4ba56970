"""``zoo verify RUN``: checks every file of a run."""

from __future__ import annotations

import click

from zoo.api import host, locate
from zoo.cli.group import echo_json, json_option
from zoo.errors import UsageError
from zoo.runs.folder import CARD, CONFIG, EVALUATION, GRID, METRICS, WEIGHTS
from zoo.runs.sources import is_here
from zoo.system.console import echo, say, say_loading

FETCHED = (METRICS, EVALUATION, CARD, GRID)
GRAPHS = tuple(
    f"onnx/{graph}.{kind}" for graph in ("sampler", "encoder") for kind in ("onnx", "json")
)


@click.command("verify")
@click.argument("run", type=click.Path())
@click.option(
    "--repair",
    is_flag=True,
    help="Write again what a checkpoint determines; remove what is damaged.",
)
@json_option
def command(run: str, repair: bool, as_json: bool) -> int:
    """Check every file of RUN, a folder or a run on the Hub; exit status 1 if one is wrong.

    Compares weights, checkpoints and config.json with their hashes and with the network, graphs and
    metrics with the weights, and looks for damaged lines, images and temporary files.
    """
    from pathlib import Path

    from zoo.verification import verify

    if is_here(run):
        path = Path(run)
    elif repair:
        raise UsageError(f"{run} is not a local folder: fetch it with zoo pull to repair it")
    else:
        path = locate(run, (CONFIG, WEIGHTS), (*FETCHED, *GRAPHS))
    say_loading(f"verifying {run}")
    report = verify(path, host(), repair)
    if as_json:
        echo_json(report.as_json() | {"run": run})
        return 0 if report.intact else 1
    say(*report.notes)
    echo(*report.problems)
    count = len(report.problems)
    found = f"{count} problem{'s' * (count != 1)}" if count else "no problems"
    repaired = sum(problem.repaired for problem in report.problems)
    echo(f"{run}: {len(report.files)} files, {found}" + (f", {repaired} repaired" * bool(repaired)))
    return 0 if report.intact else 1
