"""``zoo push RUN user/repo`` and ``zoo pull user/repo DIR``."""

from __future__ import annotations

from pathlib import Path

import click

from zoo.api import read_run
from zoo.cli.loading import load_network
from zoo.system.console import echo, say


@click.command("push")
@click.argument("run", type=click.Path())
@click.argument("repository", metavar="USER/REPO")
@click.option("--private", is_flag=True, help="Make a new repository private.")
@click.option("--revision", help="Branch, created if missing; main by default.")
@click.option("--commit-message", help="By default it names the run.")
@click.option(
    "--with-space", is_flag=True, help="Also push the page of zoo demo as a static Space."
)
def push(
    run: str,
    repository: str,
    private: bool,
    revision: str | None,
    commit_message: str | None,
    with_space: bool,
) -> None:
    """Push RUN to the Hugging Face Hub, as one commit.

    It holds configuration, weights, card, metrics, sample grid and ONNX graphs, never checkpoints.
    A card that was edited on the Hub is kept. This needs a token with write permission: run hf auth
    login, or set HF_TOKEN.
    """
    from zoo_hub import ready, space
    from zoo_hub.address import address_of

    address = address_of(repository, revision)
    stored = read_run(run)
    ready.check_folder(stored)
    if with_space:
        space.require_web()
    loaded = load_network(stored, "cpu")

    from zoo_hub.push import push as push_run

    url = push_run(
        loaded,
        repository,
        private=private,
        revision=revision,
        commit_message=commit_message,
        with_space=with_space,
    )
    echo(url)
    say(f"next: zoo sample {address}, from anywhere")


@click.command("pull")
@click.argument("repository", metavar="USER/REPO")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--revision", help="Branch, tag or commit; the newest of main by default.")
def pull(repository: str, folder: Path, revision: str | None) -> None:
    """Fetch a run from the Hugging Face Hub into the new folder DIR.

    Every file must match its hash on the Hub, and the run must load; otherwise no folder is
    written. Commands that take RUN also take user/repo, without a pull.
    """
    from zoo_hub.pull import pull as pull_run

    echo(pull_run(repository, folder, revision))
    say(f"next: zoo sample {folder}")
