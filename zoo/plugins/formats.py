"""The formats that runs can be written in: which plugin offers each."""

from __future__ import annotations

from collections.abc import Mapping

from zoo.errors import UsageError, ZooError, nearest
from zoo.plugins.host import Host
from zoo.specs import Format


def formats(host: Host) -> Mapping[str, Format]:
    """The formats of all plugins that work, by name.

    Raises ZooError for a name that two plugins claim, and for what is no :class:`zoo.Format`.
    """
    found: dict[str, Format] = {}
    owners: dict[str, object] = {}
    for plugin in host.plugins:
        if "zoo_formats" not in plugin.hooks or plugin.cause:
            continue
        for given in host.call_plugin("zoo_formats", plugin):
            for one in given:
                if not isinstance(one, Format):
                    raise ZooError(f"the plugin {plugin} gave {one!r}, which is no zoo.Format")
                if one.name in found:
                    raise ZooError(
                        f"the format {one.name!r} is claimed by the plugins {owners[one.name]} "
                        f"and {plugin}"
                    )
                found[one.name], owners[one.name] = one, plugin
    return found


def format_of(host: Host, name: str | None = None) -> Format:
    """The format called ``name``, or the only one that there is.

    Raises UsageError for one that there is not, and where none is named of several; ZooError where
    something has to be installed first.
    """
    found = formats(host)
    if name is None and len(found) == 1:
        (name,) = found
    if name is None:
        raise UsageError(f"name a format{nearest('', found)}")
    if name not in found:
        raise UsageError(f"there is no format {name!r}{nearest(name, found)}")
    if reason := found[name].missing():
        raise ZooError(reason)
    return found[name]
