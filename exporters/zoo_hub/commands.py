"""``zoo push RUN user/repo`` and ``zoo pull user/repo DIR``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("push")
@click.argument("run", type=click.Path())
@click.argument("repository", metavar="USER/REPO")
@click.option("--private", is_flag=True, help="If the repository is made, nobody else sees it.")
@click.option("--revision", help="A branch, made where there is none; main otherwise.")
@click.option("--commit-message", help="One that names the run otherwise.")
@click.option(
    "--with-space", is_flag=True, help="Also show it: the page of zoo demo, as a static Space."
)
def push(
    run: str,
    repository: str,
    private: bool,
    revision: str | None,
    commit_message: str | None,
    with_space: bool,
) -> None:
    """Send RUN to the Hugging Face Hub, as one commit.

    What is sent are its configuration, weights, card, figures, grid and ONNX graphs; checkpoints
    never are. A card that somebody changed on the Hub stays. A token that may write is needed: hf
    auth login, or HF_TOKEN.
    """
    from zoo_hub.address import address_of

    address_of(repository, revision)  # said before torch is imported

    from zoo.api import load
    from zoo_hub.push import push as send

    pushed = send(
        load(run, "cpu"),
        repository,
        private=private,
        revision=revision,
        commit_message=commit_message,
        with_space=with_space,
    )
    click.echo(pushed.url)
    click.echo(f"next: zoo sample {address_of(repository, revision)}, from anywhere", err=True)


@click.command("pull")
@click.argument("repository", metavar="USER/REPO")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--revision", help="A branch, tag or commit; the newest of main otherwise.")
def pull(repository: str, folder: Path, revision: str | None) -> None:
    """Fetch a run from the Hugging Face Hub into the new folder DIR.

    Every file is compared with what the Hub states, and the run must load; otherwise there is no
    folder. For looking at a run it is not needed: commands take user/repo where they take RUN.
    """
    from zoo_hub.pull import pull as fetch

    click.echo(fetch(repository, folder, revision))
    click.echo(f"next: zoo sample {folder}", err=True)
