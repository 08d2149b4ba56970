"""The plugin host: finds plugins, knows who owns which model, and calls a model's owner.

Nothing that a plugin does takes the command line down. One that cannot be used is kept as broken,
with its cause; everything else works without it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from zoo import hookspecs
from zoo.errors import UsageError, ZooError, nearest
from zoo.specs import ModelSpec

GROUP = "zoo"
DISABLE = "ZOO_DISABLE_PLUGINS"


@dataclass
class Plugin:
    """A plugin that was found: usable, disabled, or broken for ``cause``."""

    name: str
    distribution: str
    version: str
    seconds: float = 0.0
    hooks: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    disabled: bool = False
    cause: str | None = None
    module: object = field(default=None, repr=False)

    @property
    def status(self) -> str:
        """``"ok"``, ``"disabled"`` or ``"broken"``."""
        return "broken" if self.cause else "disabled" if self.disabled else "ok"

    def __str__(self) -> str:
        return f"{self.name!r} ({self.distribution} {self.version})"

    def reference(self) -> dict[str, str]:
        """Name, distribution and version, as a run's config.json keeps them."""
        return {"name": self.name, "distribution": self.distribution, "version": self.version}


class PluginError(ZooError):
    """A plugin failed inside a hook: which plugin, of which distribution and version, in which
    hook, and what it raised."""

    def __init__(self, plugin: Plugin, hook: str, error: BaseException) -> None:
        super().__init__(
            f"the plugin {plugin} failed in {hook}: {describe(error)}; "
            f"{DISABLE}={plugin.name} leaves it out"
        )


class Host:
    """The plugins of one process and the registry of their models."""

    def __init__(self) -> None:
        self.manager = pluggy.PluginManager(hookspecs.PROJECT)
        self.manager.add_hookspecs(hookspecs)
        self.plugins: list[Plugin] = []
        self._models: dict[str, tuple[ModelSpec, Plugin]] = {}
        self._conflicts: dict[str, list[Plugin]] = {}

    # Loading

    def load_entry_points(self) -> None:
        """Load what is installed, in the order of names; those in ``ZOO_DISABLE_PLUGINS`` are
        listed and not imported."""
        disabled = {name.strip() for name in os.environ.get(DISABLE, "").split(",")}
        for point in sorted(entry_points(group=GROUP), key=lambda p: (p.name, p.value)):
            dist = point.dist
            plugin = Plugin(point.name, dist.name if dist else "?", dist.version if dist else "?")
            if point.name in disabled:
                plugin.disabled = True
                self.plugins.append(plugin)
            else:
                self.add(plugin, point)

    def add(self, plugin: Plugin, source: EntryPoint | object) -> Plugin:
        """Import (an entry point) and register a plugin; what goes wrong becomes its cause."""
        self.plugins.append(plugin)
        start = time.perf_counter()
        try:
            plugin.module = source.load() if isinstance(source, EntryPoint) else source
            self._register(plugin)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit too: a plugin's exit is not ours
            plugin.cause = describe(error)
            with contextlib.suppress(Exception):
                self.manager.unregister(plugin.module)
        plugin.seconds = time.perf_counter() - start
        return plugin

    def _register(self, plugin: Plugin) -> None:
        version = getattr(plugin.module, "ZOO_HOOK_API", hookspecs.HOOK_API)
        if version != hookspecs.HOOK_API:
            raise ZooError(
                f"it is written for hook API {version}, this genzoo has {hookspecs.HOOK_API}: "
                "install a version of it that fits"
            )
        if same := self.manager.get_plugin(plugin.name):
            raise ZooError(f"the plugin name is taken by {self._plugin_of(same)}")
        self.manager.register(plugin.module, plugin.name)
        callers = self.manager.get_hookcallers(plugin.module) or []
        for caller in callers:
            if not caller.has_spec():
                raise ZooError(
                    f"it has a hook that no specification knows, {caller.name}"
                    + nearest(caller.name, dir_hooks())
                )
        plugin.hooks = tuple(sorted(caller.name for caller in callers))
        specs = self._specs_of(plugin)
        plugin.models = tuple(spec.name for spec in specs)
        for spec in specs:
            self._claim(spec, plugin)

    def _specs_of(self, plugin: Plugin) -> list[ModelSpec]:
        if "zoo_models" not in plugin.hooks:
            return []
        specs = list(self._caller("zoo_models", plugin)()[0])
        for spec in specs:
            if not isinstance(spec, ModelSpec):
                raise ZooError(f"its zoo_models gave {spec!r}, which is no zoo.ModelSpec")
            needed = list(hookspecs.REQUIRED)
            needed += ["zoo_encode"] if {"encode", "log_prob"} & set(spec.capabilities) else []
            if missing := [hook for hook in needed if hook not in plugin.hooks]:
                raise ZooError(f"its model {spec.name!r} needs the hook {', '.join(missing)}")
        return specs

    def _claim(self, spec: ModelSpec, plugin: Plugin) -> None:
        if spec.name in self._conflicts:
            self._conflicts[spec.name].append(plugin)
        elif spec.name in self._models:
            self._conflicts[spec.name] = [self._models.pop(spec.name)[1], plugin]
        else:
            self._models[spec.name] = (spec, plugin)

    def _plugin_of(self, module: object) -> Plugin:
        return next(plugin for plugin in self.plugins if plugin.module is module)

    # The registry

    @property
    def models(self) -> Mapping[str, ModelSpec]:
        """Every model that one plugin alone claims, by name."""
        return {name: spec for name, (spec, _) in sorted(self._models.items())}

    @property
    def broken(self) -> list[Plugin]:
        return [plugin for plugin in self.plugins if plugin.cause]

    @property
    def conflicts(self) -> list[str]:
        """A sentence for each model name that several plugins claim."""
        return [
            f"the model {name!r} is claimed by the plugins {' and '.join(map(str, plugins))}: "
            f"leave one out with {DISABLE}={plugins[-1].name}"
            for name, plugins in sorted(self._conflicts.items())
        ]

    def spec(self, model: str) -> ModelSpec:
        """The model of that name. Raises UsageError for an unknown or doubly claimed name."""
        return self._find(model)[0]

    def owner(self, model: str) -> Plugin:
        """The plugin that the model comes from; raises like :meth:`spec`."""
        return self._find(model)[1]

    def _find(self, model: str) -> tuple[ModelSpec, Plugin]:
        if model in self._models:
            return self._models[model]
        for sentence, name in zip(self.conflicts, sorted(self._conflicts), strict=True):
            if name == model:
                raise UsageError(sentence)
        raise UsageError(f"there is no model {model!r}{nearest(model, self._models)}")

    # Calls

    def call(self, hook: str, model: str, **arguments: Any) -> Any:
        """Call ``hook`` on the owner of ``model``, inside other plugins' wrappers."""
        plugin = self.owner(model)
        if hook not in plugin.hooks:
            raise UsageError(f"the model {model!r} cannot do this: {plugin} has no {hook}")
        return self.call_plugin(hook, plugin, model=model, **arguments)

    def call_plugin(self, hook: str, plugin: Plugin, **arguments: Any) -> Any:
        """Call ``hook`` on one plugin; what it raises becomes a PluginError."""
        with _blame(plugin, hook):
            return self._caller(hook, plugin)(**arguments)

    def has(self, hook: str, model: str) -> bool:
        """Whether the model's plugin has this hook."""
        return hook in self.owner(model).hooks

    def notify(self, hook: str, **arguments: Any) -> None:
        """Call an observer hook on every plugin that has it."""
        for plugin in self.plugins:
            if hook in plugin.hooks and not plugin.cause:
                self.call_plugin(hook, plugin, **arguments)

    def blame(self, model: str, hook: str) -> contextlib.AbstractContextManager[None]:
        """What is raised inside, is raised as a PluginError that names the owner of ``model``."""
        return _blame(self.owner(model), hook)

    def _caller(self, hook: str, plugin: Plugin) -> pluggy.HookCaller:
        caller: pluggy.HookCaller = getattr(self.manager.hook, hook)
        others = {
            implementation.plugin
            for implementation in caller.get_hookimpls()
            if implementation.plugin is not plugin.module
            and not (implementation.wrapper or implementation.hookwrapper)
        }
        return self.manager.subset_hook_caller(hook, others)


@contextlib.contextmanager
def _blame(plugin: Plugin, hook: str) -> Iterator[None]:
    try:
        yield
    except (ZooError, KeyboardInterrupt):
        raise
    except BaseException as error:  # SystemExit too
        raise PluginError(plugin, hook, error) from error


def describe(error: BaseException) -> str:
    """An exception in a line: its message for ours, its kind and first line for others."""
    if isinstance(error, ZooError):
        return str(error)
    first = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def dir_hooks() -> list[str]:
    """The names of all hooks."""
    return [name for name in vars(hookspecs) if name.startswith("zoo_")]


@functools.cache
def host() -> Host:
    """The host of this process, with everything loaded that is installed."""
    found = Host()
    found.load_entry_points()
    return found
