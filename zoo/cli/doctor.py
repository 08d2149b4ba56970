"""``zoo doctor``: versions, GPU, onnxruntime, plugins and disk of this machine."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import packages_distributions, version
from pathlib import Path

import click

from zoo.api import host
from zoo.cli.group import columns, echo_json, json_option
from zoo.plugins.plugin import describe
from zoo.system.console import echo, say_loading


@click.command("doctor")
@json_option
def command(as_json: bool) -> int:
    """Check the installation; exit status 1 if there is a problem."""
    say_loading("checking this machine")
    checks = run_checks()
    if as_json:
        echo_json([check.__dict__ for check in checks])
    else:
        echo(*columns([("ok" if c.ok else "PROBLEM", c.subject, c.message) for c in checks]))
    return 0 if all(check.ok for check in checks) else 1


@dataclass(frozen=True)
class Check:
    """The result of one check; ``message`` explains how to fix a problem."""

    subject: str
    ok: bool
    message: str


def run_checks() -> list[Check]:
    """Runs all checks, in the order in which to fix problems."""
    return [*_versions(), *_torch(), *_onnxruntime(), *_plugins(), *_disk()]


def _versions() -> Iterator[Check]:
    ok = sys.version_info >= (3, 11)
    yield Check(
        "python", ok, platform.python_version() + ("" if ok else ": 3.11 or newer is needed")
    )
    yield Check("genzoo", True, version("genzoo"))


def _torch() -> Iterator[Check]:
    try:
        import torch
    except Exception as error:  # an incompatible torch fails in many ways
        yield Check("torch", False, f"{describe(error)}: install it as described on pytorch.org")
        return
    cuda = torch.version.cuda
    yield Check("torch", True, f"{torch.__version__}, {torch.get_num_threads()} threads")
    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
        yield Check("gpu", True, f"{names}, CUDA {cuda}")
    elif shutil.which("nvidia-smi"):
        reason = "the driver is too old" if cuda else "this build of torch has no CUDA"
        yield Check("gpu", False, f"torch cannot use the GPU: {reason}")
    else:
        yield Check("gpu", True, "none: training runs on the CPU")


def _onnxruntime() -> Iterator[Check]:
    installed = sorted(set(packages_distributions().get("onnxruntime", [])))
    if len(installed) > 1:
        yield Check(
            "onnxruntime",
            False,
            f"{' and '.join(installed)} are both installed, so only the CPU works: "
            f"pip uninstall -y {' '.join(installed)}, then install one of them",
        )
    elif not installed:
        yield Check(
            "onnxruntime", True, "not installed: pip install 'genzoo[cpu]' or 'genzoo[gpu]'"
        )
    else:
        yield Check("onnxruntime", True, f"{installed[0]} {version(installed[0])}")


def _plugins() -> Iterator[Check]:
    plugins = host()
    for plugin in plugins.plugins:
        models = ", ".join(plugin.models) or "no models"
        yield Check(
            f"plugin {plugin.name}",
            plugin.cause is None,
            plugin.cause
            or ("disabled" if plugin.disabled else f"{models}, {plugin.seconds * 1000:.0f} ms"),
        )
    for sentence in plugins.conflicts:
        yield Check("models", False, sentence)


def _disk() -> Iterator[Check]:
    here = Path.cwd()
    writable = os.access(here, os.W_OK)
    free = shutil.disk_usage(here).free / 2**30
    yield Check(
        "folder",
        writable and free > 1,
        f"{here} {'is' if writable else 'is not'} writable, {free:.0f} GiB free",
    )
