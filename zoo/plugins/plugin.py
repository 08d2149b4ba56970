"""One plugin: where it comes from, how it is, and the words for what is wrong with it."""

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
    """A plugin that was found: usable, disabled, or broken for ``cause``.

    ``hooks`` are those that it implements, ``wrappers`` those that it wraps for other plugins.
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
        """Name, distribution and version, as a run's config.json keeps them."""
        return {"name": self.name, "distribution": self.distribution, "version": self.version}


class PluginError(ZooError):
    """A plugin failed inside a hook: which plugin, of which distribution and version, in which
    hook, and what it raised."""

    def __init__(self, plugin: Plugin, hook: str, error: BaseException) -> None:
        mend = f"--debug shows where, and {DISABLE}={plugin.name} leaves it out"
        if type(error).__name__ in ("MemoryError", "OutOfMemoryError"):
            mend = "take a smaller batch or model, or another --device"
        super().__init__(f"the plugin {plugin} failed in {hook}: {describe(error)}; {mend}")


def check_spec(spec: object, hooks: Iterable[str]) -> None:
    """Raise ZooError, what a plugin must mend, for a model that ``hooks`` cannot carry."""
    if not isinstance(spec, ModelSpec):
        raise ZooError(f"its zoo_models gave {spec!r}, which is no zoo.ModelSpec")
    for name in ("family", "title", "paper"):
        if not isinstance(getattr(spec, name), str):
            raise ZooError(f"the {name} of its model {spec.name!r} is no text")
    if not (isinstance(spec.config, type) and issubclass(spec.config, ModelConfig)):
        raise ZooError(f"the config of its model {spec.name!r} is no class of zoo.ModelConfig")
    needed = list(REQUIRED)
    needed += ["zoo_encode"] if {"encode", "log_prob"} & set(spec.capabilities) else []
    if missing := [hook for hook in needed if hook not in hooks]:
        raise ZooError(f"its model {spec.name!r} needs the hook {', '.join(missing)}")


def package_of(plugin: Plugin) -> str:
    """The top-level package of a plugin's code."""
    module = plugin.module
    name = getattr(module, "__name__", None) or type(module).__module__
    return str(name).partition(".")[0]


def describe(error: BaseException) -> str:
    """An exception in a line: its message for ours, its kind and first line for others."""
    try:
        text = str(error).strip()
    except Exception:  # a plugin's own exception, whose words fail too: its kind must do
        text = ""
    if isinstance(error, ZooError):
        return text
    lines = text.splitlines() or [""]
    said = " ".join(lines) if isinstance(error, pluggy.PluginValidationError) else lines[0]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
