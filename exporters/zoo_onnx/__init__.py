"""ONNX: ``zoo export`` writes a run's graphs for every runtime that reads the format, ``zoo bench``
measures how fast they draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import hookimpl

if TYPE_CHECKING:
    import click


@hookimpl
def zoo_commands(cli: click.Group) -> None:
    from zoo_onnx import command
    from zoo_onnx.bench import command as bench

    cli.add_command(command.command)
    cli.add_command(bench.command)
