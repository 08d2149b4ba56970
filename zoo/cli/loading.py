"""Runs that commands load: checks before torch is imported, and the first line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from zoo.api import host, load_stored
from zoo.plugins.formats import TORCH, format_of
from zoo.runs.sources import is_here
from zoo.system.console import say_loading
from zoo.system.device import check_device_name

if TYPE_CHECKING:
    from zoo.run import Run
    from zoo.runs.stored import StoredRun
    from zoo.specs import ExportedModel, Labels

backend_option = click.option(
    "--backend",
    default=TORCH,
    show_default=True,
    help="torch, or a format that RUN is exported to: onnx.",
)


def load_network(stored: StoredRun, device: str) -> Run:
    """Loads the run, and says so first where it takes a while."""
    check_device_name(device)
    say_loading(str(stored))
    return load_stored(stored, device)


def open_exported(run: str, backend: str, device: str) -> ExportedModel:
    """Opens the graphs of a run in the format ``backend``."""
    return format_of(host(), backend).open(Path(run) if is_here(run) else run, device)


def check_label(stored: StoredRun, label: Labels) -> None:
    """Raises UsageError for a label that the network cannot take, as far as config.json says."""
    if stored.classes is not None:
        from zoo.sampling.labels import choose

        choose(1, label, stored.classes, stored.name, stored.class_names)
