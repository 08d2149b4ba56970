"""``zoo doctor``: versions, GPU, onnxruntime, plugins and disk of this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from zoo.api import host
from zoo.cli.group import columns, echo_json, json_option
from zoo.cli.installation import Check
from zoo.cli.installation.accelerators import onnxruntime_checks, torch_checks
from zoo.cli.installation.versions import version_checks
from zoo.system.console import echo, say_loading


@click.command("doctor")
@json_option
def command(as_json: bool) -> int:
    """Check the installation; exit status 1 if there is a problem.

    Below the table are the commands that mend what is found.
    """
    say_loading("checking this machine")
    checks = run_checks()
    if as_json:
        echo_json([asdict(check) for check in checks])
    else:
        echo(*columns([(check.state, check.subject, check.message) for check in checks]))
        for check in checks:
            if check.fix:
                echo("", f"{check.subject}: {check.fix}")
    return 0 if all(check.ok for check in checks) else 1


def run_checks() -> list[Check]:
    """Runs all checks, in the order in which to fix problems."""
    return [
        *version_checks(),
        *torch_checks(),
        *onnxruntime_checks(),
        *_plugins(),
        *_disk(),
    ]


def _plugins() -> Iterator[Check]:
    plugins = host()
    for plugin in plugins.plugins:
        models = ", ".join(plugin.models) or "no models"
        loaded = f"{models}, imported in {plugin.seconds * 1000:.0f} ms"
        message = plugin.cause or ("disabled" if plugin.disabled else loaded)
        yield Check(f"plugin {plugin.name}", plugin.cause is None, message)
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
