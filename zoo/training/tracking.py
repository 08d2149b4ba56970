"""Logs that a training run keeps beside its own."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec

from zoo.errors import UsageError, ZooError

TRACKERS = ("tensorboard",)

_PACKAGES = ("tensorboard", "tensorboardX")
"""Either of them is enough."""


def check_tracker(name: str | None) -> None:
    """Raises UsageError for an unknown log, ZooError for one whose package is not installed."""
    if name is None:
        return
    if name not in TRACKERS:
        raise UsageError(f"{name!r} is not a supported log: use {' or '.join(TRACKERS)}")
    if not any(map(_is_installed, _PACKAGES)):
        raise ZooError(
            f'--track {name}: {name} is not installed: pip install "genzoo[track]", or leave it out'
        )


def _is_installed(package: str) -> bool:
    """Whether ``package`` can be imported and is not just a folder of that name."""
    try:
        return bool(distribution(package)) and find_spec(package) is not None
    except PackageNotFoundError:
        return False
