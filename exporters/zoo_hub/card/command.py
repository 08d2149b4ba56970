"""``zoo card RUN``: the model card."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("card")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--repository",
    metavar="USER/REPO",
    help="Where the run is on the Hub, so that code in the card takes it from there; kept until "
    "another is named.",
)
@click.option(
    "--license",
    metavar="ID",
    help="Of the weights, as the Hub calls it: mit, apache-2.0, cc-by-4.0, ... "
    "A card that has one keeps it otherwise.",
)
@click.option(
    "--new",
    is_flag=True,
    help="Begin from the model's text again; the card that stands there becomes README.old.md.",
)
def command(run: Path, repository: str | None, license: str | None, new: bool) -> None:
    """Write RUN's model card, README.md, with what the run is now.

    Its facts, figures, code and ONNX graphs are written anew between their marks, and so are the
    metadata that genzoo knows; all that a person wrote or changed stays.
    """
    from zoo.runs.sources import require_here
    from zoo.system.console import say
    from zoo_hub.card import license_of, refresh

    require_here(run, "name one; zoo pull makes one of a run on the Hub")
    path = refresh(run, repository, license, new=new)
    click.echo(path)
    if license_of(path.read_text("utf-8")) is None:
        say(f"the card names no licence of the weights: zoo card {run} --license mit, or another")
