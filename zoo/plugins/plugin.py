"""A plugin: its distribution, its status, and descriptions of its errors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import pluggy

from zoo.errors import ZooError
from zoo.plugins.markers import REQUIRED
from zoo.specs import ModelConfig, ModelSpec

DISABLE = "ZOO_DISABLE_PLUGINS"


@dataclass
class Plugin:
    """An installed plugin: working, disabled, or broken because of ``cause``.

    ``hooks`` are those that it implements, ``wrappers`` those that it wraps for other plugins;
    ``seconds`` is its import time.
    """

    name: str
    distribution: str
    version: str
    seconds: float = 0.0
    hooks: tuple[str, ...] = ()
    wrappers: tuple[str, ...] = ()
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
        """Returns name, distribution and version, as stored in a run's config.json."""
        return {"name": self.name, "distribution": self.distribution, "version": self.version}


class PluginError(ZooError):
    """Raised if a plugin fails in a hook; names plugin, distribution, version, hook and cause."""

    def __init__(self, plugin: Plugin, hook: str, error: BaseException) -> None:
        fix = f"use --debug for a traceback, or {DISABLE}={plugin.name} to disable it"
        if type(error).__name__ in ("MemoryError", "OutOfMemoryError"):
            fix = "use a smaller batch or model, or another --device"
        super().__init__(f"the plugin {plugin} failed in {hook}: {describe(error)}; {fix}")


def check_spec(spec: object, hooks: Iterable[str]) -> None:
    """Raises ZooError for an invalid spec, or one that needs more than ``hooks``."""
    if not isinstance(spec, ModelSpec):
        raise ZooError(f"its zoo_models must return zoo.ModelSpec, got {spec!r}")
    for name in ("family", "title", "paper"):
        if not isinstance(getattr(spec, name), str):
            raise ZooError(f"the {name} of its model {spec.name!r} must be a string")
    if not (isinstance(spec.config, type) and issubclass(spec.config, ModelConfig)):
        raise ZooError(
            f"the config of its model {spec.name!r} must be a subclass of zoo.ModelConfig"
        )
    required = list(REQUIRED)
    required += ["zoo_encode"] if {"encode", "log_prob"} & set(spec.capabilities) else []
    if missing := [hook for hook in required if hook not in hooks]:
        raise ZooError(f"its model {spec.name!r} needs the hook {', '.join(missing)}")


def package_of(plugin: Plugin) -> str:
    """Returns the top-level package of a plugin's code."""
    module = plugin.module
    name = getattr(module, "__name__", None) or type(module).__module__
    return str(name).partition(".")[0]


def describe(error: BaseException) -> str:
    """Describes an exception in one line: a ZooError by its message, any other by its type and the
    first line of its message."""
    try:
        text = str(error).strip()
    except Exception:  # a plugin's exception may fail in __str__ too
        text = ""
    if isinstance(error, ZooError):
        return text
    lines = text.splitlines() or [""]
    message = " ".join(lines) if isinstance(error, pluggy.PluginValidationError) else lines[0]
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
