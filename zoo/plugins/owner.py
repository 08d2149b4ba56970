"""The plugin of a model, with the model's spec."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from zoo.errors import UsageError, ZooError
from zoo.plugins.plugin import Plugin, PluginError
from zoo.specs import ModelSpec


class Caller(Protocol):
    """Calls the hooks of plugins: the host."""

    def call_plugin(self, hook: str, plugin: Plugin, **arguments: Any) -> Any: ...

    def blame(self, plugin: Plugin, hook: str) -> AbstractContextManager[None]: ...


@dataclass(frozen=True)
class Owner:
    """A plugin with one of its models: calls its hooks and names it in errors."""

    plugin: Plugin
    spec: ModelSpec
    caller: Caller

    def call(self, hook: str, **arguments: Any) -> Any:
        """Calls ``hook`` on the plugin, inside other plugins' wrappers, with the model's name.

        Raises UsageError if the plugin lacks the hook, and PluginError for anything that the plugin
        raises and for a result of None.
        """
        if not self.has(hook):
            raise UsageError(
                f"the model {self.spec.name!r} does not support this: {self.plugin} has no {hook}"
            )
        result = self.caller.call_plugin(hook, self.plugin, model=self.spec.name, **arguments)
        if result is None:
            raise PluginError(self.plugin, hook, ZooError("it returned None"))
        return result

    def has(self, hook: str) -> bool:
        """Whether the plugin implements ``hook``."""
        return hook in self.plugin.hooks

    def blame(self, hook: str) -> AbstractContextManager[None]:
        """Turns exceptions inside into a PluginError that names the plugin and ``hook``."""
        return self.caller.blame(self.plugin, hook)


FindOwner = Callable[[str], Owner]
"""Returns the owner of a model's name; raises UsageError for an unknown one."""
