"""Web pages: ``zoo demo`` writes one that generates images from a run's graphs in the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import hookimpl

if TYPE_CHECKING:
    import click


@hookimpl
def zoo_commands(cli: click.Group) -> None:
    from zoo_web.command import command

    cli.add_command(command)
