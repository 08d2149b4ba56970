"""The observer of a training run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Observer:
    """Receives the events of a training run in the main process; ignores them by default."""

    def started(self) -> None:
        """The run starts or resumes; its folder and configuration exist."""

    def step(self, step: int, metrics: Mapping[str, Any]) -> None:
        """A line was added to metrics.jsonl."""

    def checkpoint(self, step: int) -> None:
        """Weights, training state and samples were written."""

    def finished(self, step: int) -> None:
        """The run reached its limit or was interrupted; everything is written."""
