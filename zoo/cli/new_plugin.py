"""``zoo new-plugin NAME``: writes a template of a plugin."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from zoo.api import host
from zoo.errors import UsageError
from zoo.system.console import echo


@click.command("new-plugin")
@click.argument("name")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Folder; default: genzoo-NAME.")
def command(name: str, out: Path | None) -> None:
    """Write a plugin with a small model NAME.

    The plugin is a folder that pip can install, with a working model to modify. No file is
    overwritten.
    """
    from zoo.scaffold import write_plugin, write_plugin_to

    for plugin in host().plugins:
        if name == plugin.name or name in plugin.models:
            raise UsageError(f"the plugin {plugin} has the name {name!r}: choose another name")
    folder = write_plugin(name, Path()) if out is None else write_plugin_to(name, out)
    echo(f"written: {folder}")
    echo(f"next:    pip install -e {shlex.quote(str(folder))}")
    echo(f"         zoo check {name}")
    echo(f"         zoo train {name}")
