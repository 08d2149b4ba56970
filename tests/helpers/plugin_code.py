"""Plugins that are written as code, and a host that finds them on the path."""

from __future__ import annotations

from zoo import hookspecs
from zoo.plugins.host import Host
from zoo.plugins.plugin import Plugin


def model(name: str, extra: str = "", capabilities: str = '("sample", "interpolate")') -> str:
    """Returns the code of a plugin with one model, without torch."""
    return f"""
from zoo import ModelConfig, ModelSpec, hookimpl

class Config(ModelConfig):
    depth: int = 1

@hookimpl
def zoo_models():
    return [
        ModelSpec(
            name="{name}",
            family="test",
            title="T",
            paper="-",
            config=Config,
            presets={{"digits": {{}}}},
            capabilities={capabilities},
        )
    ]

@hookimpl
def zoo_build(config, image):
    return "a network"

@hookimpl
def zoo_train():
    return "an objective"

@hookimpl
def zoo_sample(latents):
    return ["{name}", latents]

{extra}
"""


def load() -> Host:
    """Returns a host with the plugins on the path."""
    host = Host(hookspecs)
    host.load_entry_points()
    return host


def sample(host: Host, model: str, latents: int = 0) -> object:
    """Calls ``zoo_sample`` as the core does."""
    return host.owner(model).call(
        "zoo_sample", network=None, latents=latents, temperature=1.0, labels=None
    )


def plugin(host: Host, name: str) -> Plugin:
    (match,) = [plugin for plugin in host.plugins if plugin.name == name]
    return match
