"""The plugin host: finds plugins, and calls the hooks of each model on its owner.

No failure of a plugin stops the command line: the plugin is marked as broken, with the cause, and
everything else works.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import Distribution, EntryPoint, distributions, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from zoo.errors import UsageError, ZooError, nearest
from zoo.plugins.markers import HOOK_API, PROJECT
from zoo.plugins.owner import Owner
from zoo.plugins.plugin import DISABLE, Plugin, PluginError, check_spec, describe, package_of
from zoo.specs import ModelSpec

GROUP = "zoo"


class Host:
    """The plugins of a process and the registry of their models.

    ``hookspecs`` is the module of the hook specifications.
    """

    def __init__(self, hookspecs: ModuleType) -> None:
        self.manager = pluggy.PluginManager(PROJECT)
        self.manager.add_hookspecs(hookspecs)
        self.hook_names = [name for name in vars(hookspecs) if name.startswith("zoo_")]
        self.plugins: list[Plugin] = []
        self._models: dict[str, tuple[ModelSpec, Plugin]] = {}
        self._conflicts: dict[str, list[Plugin]] = {}

    # Loading

    def load_entry_points(self) -> None:
        """Loads the installed plugins in order of their names; those in ``ZOO_DISABLE_PLUGINS`` are
        listed but not imported."""
        disabled = {name.strip() for name in os.environ.get(DISABLE, "").split(",")}
        points, unreadable = installed()
        for point in sorted(points, key=lambda p: (p.name, p.value)):
            dist = point.dist
            plugin = Plugin(point.name, *(_identity(dist) if dist else ("?", "?")))
            if point.name in disabled:
                plugin.disabled = True
                self.plugins.append(plugin)
            else:
                self.add(plugin, point)
        self.plugins += [plugin for plugin in unreadable if plugin.name not in disabled]

    def add(self, plugin: Plugin, source: EntryPoint | object) -> Plugin:
        """Imports (an entry point) and registers a plugin; an exception becomes its ``cause``.

        Its output goes to standard error, since standard output may be JSON.
        """
        self.plugins.append(plugin)
        start = time.perf_counter()
        try:
            with contextlib.redirect_stdout(sys.stderr):
                plugin.module = source.load() if isinstance(source, EntryPoint) else source
                self._register(plugin)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit too: a plugin must not end the process
            plugin.cause = describe(error)
        plugin.seconds = time.perf_counter() - start
        return plugin

    def _register(self, plugin: Plugin) -> None:
        version = getattr(plugin.module, "ZOO_HOOK_API", HOOK_API)
        if version != HOOK_API:
            raise ZooError(
                f"it is written for hook API {version}, but this genzoo has {HOOK_API}: "
                "install a matching version"
            )
        if other := self.manager.get_plugin(plugin.name):
            raise ZooError(f"the plugin name is taken by {self._plugin_of(other)}")
        if self.manager.is_registered(plugin.module):
            raise ZooError(f"it is the same as {self._plugin_of(plugin.module)}")
        self.manager.register(plugin.module, plugin.name)
        try:
            self._read(plugin)
        except BaseException:
            self.manager.unregister(plugin.module)
            plugin.hooks = plugin.wrappers = plugin.models = ()
            raise

    def _read(self, plugin: Plugin) -> None:
        """Reads the hooks and models of a plugin that is registered with pluggy."""
        hooks: dict[bool, list[str]] = {False: [], True: []}
        for caller in self.manager.get_hookcallers(plugin.module) or []:
            if not caller.has_spec() and not _optional(caller):
                raise ZooError(
                    f"it has an unknown hook, {caller.name}" + nearest(caller.name, self.hook_names)
                )
            for implementation in caller.get_hookimpls():
                if implementation.plugin is plugin.module:
                    hooks[_wraps(implementation)].append(caller.name)
        plugin.hooks, plugin.wrappers = tuple(sorted(hooks[False])), tuple(sorted(hooks[True]))
        specs = self._specs_of(plugin)
        plugin.models = tuple(spec.name for spec in specs)
        for spec in specs:
            self._claim(spec, plugin)

    def _specs_of(self, plugin: Plugin) -> list[ModelSpec]:
        if "zoo_models" not in plugin.hooks:
            return []
        try:
            results = self._caller("zoo_models", plugin, wrapped=False)()
            specs = list(results[0]) if results else None
        except Exception as error:
            raise ZooError(f"zoo_models failed: {describe(error)}") from error
        if specs is None:
            raise ZooError("its zoo_models must return a list of zoo.ModelSpec, got None")
        names: set[str] = set()
        for spec in specs:
            check_spec(spec, plugin.hooks)
            if spec.name in names:
                raise ZooError(f"its zoo_models returns two models named {spec.name!r}")
            names.add(spec.name)
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
        """All models by name, without those that several plugins claim."""
        return {name: spec for name, (spec, _) in sorted(self._models.items())}

    @property
    def broken(self) -> list[Plugin]:
        return [plugin for plugin in self.plugins if plugin.cause]

    @property
    def conflicts(self) -> list[str]:
        """One sentence per model name that several plugins claim."""
        return [
            f"the model {name!r} is claimed by the plugins {' and '.join(map(str, plugins))}: "
            f"disable one with {DISABLE}={plugins[-1].name}"
            for name, plugins in sorted(self._conflicts.items())
        ]

    def spec(self, model: str) -> ModelSpec:
        """Returns the spec of a model. Raises UsageError for an unknown or ambiguous name."""
        return self._find(model)[0]

    def owner(self, model: str) -> Owner:
        """Returns the plugin of a model, with its spec; raises like :meth:`spec`."""
        spec, plugin = self._find(model)
        return Owner(plugin, spec, self)

    def _find(self, model: str) -> tuple[ModelSpec, Plugin]:
        if model in self._models:
            return self._models[model]
        for sentence, name in zip(self.conflicts, sorted(self._conflicts), strict=True):
            if name == model:
                raise UsageError(sentence)
        raise UsageError(f"there is no model {model!r}{nearest(model, self._models)}")

    # Calls

    def call_plugin(self, hook: str, plugin: Plugin, **arguments: Any) -> Any:
        """Calls ``hook`` on one plugin; exceptions become a PluginError."""
        with self.blame(plugin, hook):
            return self._caller(hook, plugin)(**arguments)

    def notify(self, hook: str, **arguments: Any) -> None:
        """Calls an observer hook on every plugin that implements it."""
        for plugin in self.plugins:
            if hook in plugin.hooks and not plugin.cause:
                self.call_plugin(hook, plugin, **arguments)

    def first_result(self, hook: str, **arguments: Any) -> Any:
        """Calls ``hook`` on each plugin until one returns a result; returns None if none does."""
        for plugin in self.plugins:
            if hook in plugin.hooks and not plugin.cause:
                result = self.call_plugin(hook, plugin, **arguments)
                if result is not None:
                    return result
        return None

    def fetcher(self) -> Callable[..., Path | None] | None:
        """:meth:`fetch`; None if no plugin has ``zoo_fetch``."""
        if any("zoo_fetch" in plugin.hooks and not plugin.cause for plugin in self.plugins):
            return self.fetch
        return None

    def fetch(
        self,
        name: str,
        revision: str | None,
        token: str | None,
        files: Sequence[str],
        optional: Sequence[str],
    ) -> Path | None:
        """Fetches files of a run with the first plugin that supports ``name`` (``zoo_fetch``)."""
        folder: Path | None = self.first_result(
            "zoo_fetch",
            source=name,
            revision=revision,
            token=token,
            files=tuple(files),
            optional=tuple(optional),
        )
        return folder

    def push(self, run: Any, target: str, options: Mapping[str, Any]) -> str:
        """Uploads ``run`` with the first plugin that supports ``target`` (``zoo_push``) and returns
        its address.

        Raises UsageError if no plugin supports the target, ZooError if the upload fails.
        """
        address: str | None = self.first_result("zoo_push", run=run, target=target, options=options)
        if address is None:
            raise UsageError(f"{target} is not a valid target: use user/repo")
        return address

    @contextlib.contextmanager
    def blame(self, plugin: Plugin, hook: str) -> Iterator[None]:
        """Turns exceptions inside into a PluginError that names the failing plugin and ``hook``."""
        try:
            yield
        except (ZooError, KeyboardInterrupt):
            raise
        except BaseException as error:  # SystemExit too
            raise PluginError(self._failing_plugin(plugin, error), hook, error) from error

    def _failing_plugin(self, called: Plugin, error: BaseException) -> Plugin:
        """Returns the plugin whose code raised ``error``: the called one or a wrapper."""
        others = {package_of(plugin): plugin for plugin in self.plugins if plugin.wrappers}
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        for frame in reversed(frames):
            package = str(frame.f_globals.get("__name__")).partition(".")[0]
            if package == package_of(called):
                return called
            if package in others:
                return others[package]
        return called

    def _caller(self, hook: str, plugin: Plugin, wrapped: bool = True) -> pluggy.HookCaller:
        caller: pluggy.HookCaller = getattr(self.manager.hook, hook)
        others = {
            implementation.plugin
            for implementation in caller.get_hookimpls()
            if implementation.plugin is not plugin.module
            and not (wrapped and _wraps(implementation))
        }
        return self.manager.subset_hook_caller(hook, others)


def installed() -> tuple[list[EntryPoint], list[Plugin]]:
    """Returns all entry points, and a broken plugin for each distribution whose entry points cannot
    be read."""
    try:
        return list(entry_points(group=GROUP)), []
    except Exception:  # one invalid file fails the call for all distributions: read each alone
        points: dict[str, EntryPoint] = {}
        broken: dict[str, Plugin] = {}
        for dist in distributions():
            name, version = _identity(dist)
            try:
                for point in dist.entry_points.select(group=GROUP):
                    points.setdefault(f"{name} {point.name}", point)
            except Exception as error:
                folder = dist.locate_file("")
                cause = f"an entry_points.txt in {folder} cannot be read: {describe(error)}"
                broken.setdefault(name, Plugin(name, name, version, cause=cause))
        return list(points.values()), list(broken.values())


def _identity(dist: Distribution) -> tuple[str, str]:
    """Returns the name and version of a distribution, "?" if the metadata lack one."""
    metadata = dist.metadata
    return metadata["Name"] or "?", metadata["Version"] or "?"


def _optional(caller: pluggy.HookCaller) -> bool:
    return all(implementation.optionalhook for implementation in caller.get_hookimpls())


def _wraps(implementation: pluggy.HookImpl) -> bool:
    return implementation.wrapper or implementation.hookwrapper
