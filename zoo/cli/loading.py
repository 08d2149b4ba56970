"""Runs that commands load: checks before torch is imported, and the first line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.api import load_stored
from zoo.system.console import say_loading
from zoo.system.device import check_device_name

if TYPE_CHECKING:
    from zoo.run import Run
    from zoo.runs.stored import StoredRun
    from zoo.specs import Labels


def load_network(stored: StoredRun, device: str) -> Run:
    """Loads the run, and says so first where it takes a while."""
    check_device_name(device)
    say_loading(str(stored))
    return load_stored(stored, device)


def check_label(stored: StoredRun, label: Labels) -> None:
    """Raises UsageError for a label that the network cannot take, as far as config.json says."""
    if stored.classes is not None:
        from zoo.sampling.labels import choose

        choose(1, label, stored.classes, stored.name, stored.class_names)
