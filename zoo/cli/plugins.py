"""``zoo plugins``: the installed plugins and their status."""

from __future__ import annotations

import click

from zoo.api import host
from zoo.cli.group import columns, echo_json, json_option
from zoo.cli.list import problems
from zoo.system.console import echo, say


@click.command("plugins")
@json_option
def command(as_json: bool) -> None:
    """List the plugins: distribution, status, models, import time."""
    plugins = host()
    if as_json:
        echo_json(
            [
                {
                    **plugin.reference(),
                    "status": plugin.status,
                    "cause": plugin.cause,
                    "models": list(plugin.models),
                    "hooks": list(plugin.hooks),
                    "wrappers": list(plugin.wrappers),
                    "milliseconds": round(plugin.seconds * 1000, 1),
                }
                for plugin in plugins.plugins
            ]
        )
        return
    rows = [("PLUGIN", "DISTRIBUTION", "STATUS", "MODELS", "IMPORT TIME")]
    rows += [
        (
            plugin.name,
            f"{plugin.distribution} {plugin.version}",
            plugin.status,
            " ".join(plugin.models) or "-",
            "-" if plugin.disabled else f"{plugin.seconds * 1000:.0f} ms",
        )
        for plugin in plugins.plugins
    ]
    echo(*columns(rows))
    say(*problems(plugins))
