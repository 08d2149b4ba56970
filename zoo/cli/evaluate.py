"""``zoo evaluate RUN``: figures on the test split, each with its protocol."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from zoo.cli.group import echo_json, json_option


@click.command("evaluate")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--data", "source", help="Pictures to score; what the run was trained on otherwise.")
@click.option(
    "--split",
    type=click.Choice(["test", "validation", "train"]),
    default="test",
    show_default=True,
    help="Which pictures of the data.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the draws.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
@json_option
def command(
    run: Path, source: str | None, split: str, seed: int, device: str, as_json: bool
) -> None:
    """Score RUN on a split of its data.

    The bits per dimension are also kept in the run's metrics.json.
    """
    from zoo.files import write_json
    from zoo.folder import EVALUATION
    from zoo.run import load

    score = load(run, device).evaluate(source, split, seed)
    values = {**asdict(score), "protocol": score.protocol}
    write_json(run / EVALUATION, values)
    if as_json:
        echo_json(values)
    else:
        click.echo(f"{score.bits_per_dim:.4f} ± {score.standard_error:.4f} bits/dim")
        click.echo(score.protocol)
