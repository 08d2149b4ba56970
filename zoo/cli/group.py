"""A click group that imports commands lazily and accepts commands of plugins."""

from __future__ import annotations

import contextlib
import sys
import textwrap
from collections.abc import Sequence
from importlib import import_module
from itertools import zip_longest
from typing import Any

import click

from zoo.errors import ZooError, nearest, printable
from zoo.system.console import echo, say, terminal_width

BUILT_IN = (
    "list",
    "show",
    "data",
    "train",
    "sample",
    "reconstruct",
    "evaluate",
    "compare",
    "runs",
    "verify",
    "check",
    "new-plugin",
    "plugins",
    "doctor",
)
"""Commands of the core: each is ``command`` in the ``zoo.cli`` module of the same name."""

_DEBUG = click.Option(
    ["--debug"], is_flag=True, expose_value=False, help="Show a traceback on errors."
)


class ZooGroup(click.Group):
    """Commands of the core and of plugins; ``zoo_commands`` is called only to list all commands or
    for a name that the core does not have."""

    _plugins_loaded = False

    def list_commands(self, ctx: click.Context) -> list[str]:
        self._load_plugin_commands()
        return [*BUILT_IN, *sorted(self.commands)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in BUILT_IN:
            command: click.Command = import_module(f"zoo.cli.{cmd_name.replace('-', '_')}").command
            return _with_debug(command)
        self._load_plugin_commands()
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not self.get_command(ctx, args[0]) and not args[0].startswith("-"):
            ctx.fail(f"there is no command {args[0]!r}{nearest(args[0], self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Adds a plugin's command. Raises ValueError if the name exists."""
        name = name or cmd.name
        if name in BUILT_IN or name in self.commands:
            raise ValueError(f"the command {name!r} exists already")
        super().add_command(_with_debug(cmd), name)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), _DEBUG]

    def _load_plugin_commands(self) -> None:
        if self._plugins_loaded:
            return
        self._plugins_loaded = True
        from zoo.api import host

        plugins = host()
        for plugin in plugins.plugins:
            if "zoo_commands" in plugin.hooks and not plugin.cause:
                try:
                    with contextlib.redirect_stdout(sys.stderr):
                        plugins.call_plugin("zoo_commands", plugin, cli=self)
                except ZooError as error:
                    plugin.cause = str(error)
                    say(f"zoo: {error}")


def _with_debug(command: click.Command) -> click.Command:
    if _DEBUG not in command.params:
        command.params.append(_DEBUG)
    return command


def echo_json(value: Any) -> None:
    """Prints one JSON document to standard output."""
    import json

    text = json.dumps(value, indent=2, allow_nan=False)  # in ASCII; escapes all but the last
    echo(*text.replace("\x7f", "\\u007f").split("\n"))


def complete_models(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Returns model names for shell completion."""
    from zoo.api import host

    return [name for name in host().models if name.startswith(incomplete)]


json_option = click.option("as_json", "--json", is_flag=True, help="Print one JSON document.")


def columns(rows: Sequence[tuple[str, ...]], gap: int = 2, width: int | None = None) -> list[str]:
    """Returns rows as lines, with left-aligned columns.

    In a terminal, or for a ``width``, cells wrap between words to fit; a line is longer only where
    words are.
    """
    if not rows:
        return []
    width = width or terminal_width()
    rows = [tuple(map(printable, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if width is not None:
        widths = _narrowed(rows, widths, width - gap * (len(widths) - 1))
    lines = []
    for row in rows:
        cells = [_wrapped(cell, width) for cell, width in zip(row, widths, strict=True)]
        lines += [
            (" " * gap).join(map(str.ljust, parts, widths)).rstrip()
            for parts in zip_longest(*cells, fillvalue="")
        ]
    return lines


_LAST = 20
"""Characters to which the last column may be narrowed: a longer word there displaces nothing."""


def _narrowed(rows: Sequence[tuple[str, ...]], widths: list[int], room: int) -> list[int]:
    """Returns widths that fit into ``room`` if words allow it; the widest columns give way."""
    words = [max(len(word) for cell in column for word in cell.split() or [""])
             for column in zip(*rows, strict=True)]  # fmt: skip
    words[-1] = min(words[-1], _LAST)
    widths = list(widths)
    while sum(widths) > room:
        wide = [i for i, width in enumerate(widths) if width > words[i]]
        if not wide:
            break
        widths[max(wide, key=lambda i: widths[i])] -= 1
    return widths


def _wrapped(cell: str, width: int) -> list[str]:
    if len(cell) <= width:
        return [cell]
    return textwrap.wrap(cell, width, break_long_words=False, break_on_hyphens=False) or [""]


def shortened(text: str, length: int) -> str:
    """Returns ``text`` with an ellipsis in its middle if it is longer than ``length``."""
    if len(text) <= length:
        return text
    start = (length - 1) // 3
    return f"{text[:start]}…{text[len(text) - length + 1 + start :]}"
