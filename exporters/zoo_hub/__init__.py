"""The Hugging Face Hub: model cards, and runs pushed and pulled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import hookimpl

if TYPE_CHECKING:
    import click

    from zoo import Run


@hookimpl
def zoo_commands(cli: click.Group) -> None:
    from zoo_hub import commands
    from zoo_hub.card.command import command as card

    cli.add_command(card)
    cli.add_command(commands.push)
    cli.add_command(commands.pull)


@hookimpl
def zoo_fetch(
    source: str,
    revision: str | None,
    token: str | None,
    files: Sequence[str],
    optional: Sequence[str],
) -> Path | None:
    from zoo_hub.address import is_repository

    if not is_repository(source):
        return None
    from zoo_hub.fetch import fetch

    return fetch(source, revision, token, files, optional)


@hookimpl
def zoo_push(run: Run, target: str, options: Mapping[str, Any]) -> str | None:
    from zoo_hub.address import is_repository

    if not is_repository(target.partition("@")[0]):
        return None
    from zoo_hub.push import push

    return push(run, target, **options)
