"""A click group that loads a command when it is called, and lets plugins add their own."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from zoo.errors import ZooError, nearest

BUILT_IN = (
    "list",
    "show",
    "train",
    "sample",
    "reconstruct",
    "evaluate",
    "compare",
    "check",
    "new-plugin",
    "plugins",
    "doctor",
)
"""The core's commands: each is ``command`` in the module of its name in ``zoo.cli``."""

_DEBUG = click.Option(
    ["--debug"], is_flag=True, expose_value=False, help="Show a traceback when something fails."
)


class ZooGroup(click.Group):
    """Commands of the core first; plugins are asked for theirs only when a name is none of them,
    or when all are listed."""

    _asked = False

    def list_commands(self, ctx: click.Context) -> list[str]:
        self._ask_plugins()
        return [*BUILT_IN, *sorted(self.commands)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in BUILT_IN:
            command: click.Command = import_module(f"zoo.cli.{cmd_name.replace('-', '_')}").command
            return _with_debug(command)
        self._ask_plugins()
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not self.get_command(ctx, args[0]) and not args[0].startswith("-"):
            ctx.fail(f"there is no command {args[0]!r}{nearest(args[0], self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a plugin's command. Raises ValueError where the name is taken."""
        name = name or cmd.name
        if name in BUILT_IN or name in self.commands:
            raise ValueError(f"the command {name!r} exists already")
        super().add_command(_with_debug(cmd), name)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), _DEBUG]

    def _ask_plugins(self) -> None:
        if self._asked:
            return
        self._asked = True
        from zoo.api import host

        plugins = host()
        for plugin in plugins.plugins:
            if "zoo_commands" in plugin.hooks and not plugin.cause:
                try:
                    with contextlib.redirect_stdout(sys.stderr):
                        plugins.call_plugin("zoo_commands", plugin, cli=self)
                except ZooError as error:
                    plugin.cause = str(error)
                    click.echo(f"zoo: {error}", err=True)


def _with_debug(command: click.Command) -> click.Command:
    if _DEBUG not in command.params:
        command.params.append(_DEBUG)
    return command


def echo_json(value: Any) -> None:
    """One JSON document on standard output."""
    import json

    click.echo(json.dumps(value, indent=2, allow_nan=False))


def complete_models(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Names of models for the shell's completion."""
    from zoo.api import host

    return [name for name in host().models if name.startswith(incomplete)]


json_option = click.option("as_json", "--json", is_flag=True, help="Print one JSON document.")


def columns(rows: Sequence[tuple[str, ...]], gap: int = 2) -> str:
    """Rows as left-aligned columns."""
    if not rows:
        return ""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        (" " * gap)
        .join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        .rstrip()
        for row in rows
    )
