"""``zoo card RUN``: the model card."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("card")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--repository",
    metavar="USER/REPO",
    help="Repository on the Hub that the code in the card loads the run from; kept until another "
    "is given.",
)
@click.option(
    "--license",
    metavar="ID",
    help="License of the weights, as an id of the Hub: mit, apache-2.0, cc-by-4.0, ... By default "
    "the card's own is kept.",
)
@click.option(
    "--new",
    is_flag=True,
    help="Start from the model's text; the existing card becomes README.old.md.",
)
def command(run: Path, repository: str | None, license: str | None, new: bool) -> None:
    """Write RUN's model card, README.md, from the run as it is now.

    Summary, metrics, code and ONNX graphs are written again between their marks, with the metadata
    that genzoo owns. Everything that a person wrote or changed stays.
    """
    from zoo.runs.folder import RunFolder
    from zoo.runs.sources import require_here
    from zoo.system.console import echo, say
    from zoo_hub.card import license_of, refresh

    require_here(run, "name a folder, or fetch the run into one with zoo pull")
    RunFolder(run).remove_partial()
    path = refresh(run, repository, license, new=new)
    echo(path)
    if license_of(path.read_text("utf-8")) is None:
        say(f"the card has no license for the weights: zoo card {run} --license mit, or another")
