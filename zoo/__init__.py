"""genzoo: a zoo of generative image models to train, sample from and compare.

    import zoo

    run = zoo.train("glow", steps=500)
    images = run.sample(16, seed=0)         # float32 [16, C, H, W] in [0, 1]
    run = zoo.load("runs/glow-digits")

Imports are lazy: each name below is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.api import build, list_models, load, train
    from zoo.config.sections import Config, DataConfig, TrainingConfig
    from zoo.errors import UsageError, ZooError
    from zoo.model import Likelihood, Model
    from zoo.plugins.markers import HOOK_API, hookimpl
    from zoo.report.grids import grid
    from zoo.run import Run
    from zoo.specs import (
        CompileGain,
        Format,
        Graph,
        ImageSpec,
        Latent,
        ModelConfig,
        ModelSpec,
        Preset,
    )

_HOMES = {
    "zoo.api": ("build", "list_models", "load", "train"),
    "zoo.config.sections": ("Config", "DataConfig", "TrainingConfig"),
    "zoo.errors": ("UsageError", "ZooError"),
    "zoo.model": ("Likelihood", "Model"),
    "zoo.plugins.markers": ("HOOK_API", "hookimpl"),
    "zoo.report.grids": ("grid",),
    "zoo.run": ("Run",),
    "zoo.specs": (
        "CompileGain",
        "Format",
        "Graph",
        "ImageSpec",
        "Latent",
        "ModelConfig",
        "ModelSpec",
        "Preset",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("genzoo")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'zoo' has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME_OF])


__all__ = [
    "HOOK_API",
    "CompileGain",
    "Config",
    "DataConfig",
    "Format",
    "Graph",
    "ImageSpec",
    "Latent",
    "Likelihood",
    "Model",
    "ModelConfig",
    "ModelSpec",
    "Preset",
    "Run",
    "TrainingConfig",
    "UsageError",
    "ZooError",
    "build",
    "grid",
    "hookimpl",
    "list_models",
    "load",
    "train",
]
