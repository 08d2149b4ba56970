"""``zoo list``: all models, and the broken plugins."""

from __future__ import annotations

import click

from zoo.api import host
from zoo.cli.group import columns, echo_json, json_option
from zoo.plugins.host import Host
from zoo.specs import CAPABILITIES
from zoo.system.console import echo, say


@click.command("list")
@json_option
def command(as_json: bool) -> None:
    """List the models and the broken plugins."""
    plugins = host()
    if as_json:
        echo_json(describe_models(plugins))
    elif plugins.models:
        rows = [("MODEL", "FAMILY", "PRESETS", "TITLE")]
        rows += [
            (spec.name, spec.family, " ".join(spec.presets), spec.title)
            for spec in plugins.models.values()
        ]
        echo(*columns(rows))
    else:
        say("no models found: install a plugin")
    say(*problems(plugins))


def describe_models(plugins: Host) -> list[dict[str, object]]:
    """Returns the models as ``zoo list --json`` prints them."""
    return [
        {
            "name": spec.name,
            "family": spec.family,
            "title": spec.title,
            "paper": spec.paper,
            "capabilities": [c for c in CAPABILITIES if c in spec.capabilities],
            "presets": list(spec.presets),
            "plugin": plugins.owner(spec.name).plugin.reference(),
        }
        for spec in plugins.models.values()
    ]


def problems(plugins: Host) -> list[str]:
    """Returns a sentence per broken plugin and per conflict."""
    broken = [f"broken: the plugin {plugin}: {plugin.cause}" for plugin in plugins.broken]
    return broken + [f"conflict: {sentence}" for sentence in plugins.conflicts]
