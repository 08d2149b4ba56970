"""The Hugging Face Hub: a run's card, and its way up and down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import hookimpl

if TYPE_CHECKING:
    import click


@hookimpl
def zoo_commands(cli: click.Group) -> None:
    from zoo_hub.card.command import command as card

    cli.add_command(card)
