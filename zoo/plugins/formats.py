"""Export formats of the installed plugins."""

from __future__ import annotations

from collections.abc import Mapping

from zoo.errors import UsageError, ZooError, nearest
from zoo.plugins.host import Host
from zoo.specs import Format

TORCH = "torch"
"""The backend of a run's own network, beside the names of formats."""


def formats(host: Host) -> Mapping[str, Format]:
    """Returns the formats of all working plugins, by name.

    Raises ZooError for a name that two plugins claim, and for anything but a :class:`zoo.Format`.
    """
    by_name: dict[str, Format] = {}
    owners: dict[str, object] = {}
    for plugin in host.plugins:
        if "zoo_formats" not in plugin.hooks or plugin.cause:
            continue
        for result in host.call_plugin("zoo_formats", plugin):
            for format in result:
                if not isinstance(format, Format):
                    raise ZooError(
                        f"zoo_formats of the plugin {plugin} must return zoo.Format, got {format!r}"
                    )
                name = format.name
                if name in by_name:
                    raise ZooError(
                        f"the format {name!r} is claimed by the plugins {owners[name]} and {plugin}"
                    )
                by_name[name], owners[name] = format, plugin
    return by_name


def format_of(host: Host, name: str | None = None) -> Format:
    """Returns the format ``name``, by default the only one.

    Raises UsageError for an unknown name, or without a name if there is not exactly one format;
    ZooError if the format needs something that is not installed.
    """
    available = formats(host)
    if name is None and len(available) == 1:
        (name,) = available
    if name is None:
        raise UsageError(f"name a format{nearest('', available)}")
    if name not in available:
        raise UsageError(f"there is no format {name!r}{nearest(name, available)}")
    if reason := available[name].missing():
        raise ZooError(reason)
    return available[name]
