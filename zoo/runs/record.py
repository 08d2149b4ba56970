"""The one writer of a run in training: checkpoints, weights and config.json, in a safe order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zoo.runs.checkpoints import write_checkpoint
from zoo.runs.folder import CONFIG, METRICS, WEIGHTS, RunFolder
from zoo.runs.integrity import integrity_of, sealed, sha256
from zoo.runs.state import Best, TrainingState
from zoo.runs.weights import serialized
from zoo.system.files import sha256_of, sync, write_bytes, write_json

if TYPE_CHECKING:
    from torch import Tensor


class RunRecord:
    """Writes the states of a run whose config.json holds ``document``.

    The checkpoint states the hash of the weights before they are written, and config.json follows
    them: a kill at any moment leaves weights whose hash one of the two states.
    """

    def __init__(self, folder: RunFolder, document: Mapping[str, Any]) -> None:
        self.folder, self._document = folder, dict(document)

    def save(
        self, state: TrainingState, tensors: Mapping[str, Tensor], weights: Mapping[str, Tensor]
    ) -> None:
        """Writes a checkpoint, and the ``weights`` to use: those of the best validation that
        ``state`` has, if any."""
        sync(self.folder.path / METRICS)  # its lines up to here are not written again
        data = serialized(weights)
        step, validated = state.progress.step, state.progress.validated
        self._seal(step, data, None if validated is None else validated.best)
        write_checkpoint(self.folder.path, state, tensors, self._document)
        self._write_weights(data)

    def save_weights(self, step: int, weights: Mapping[str, Tensor], best: Best | None) -> bool:
        """Writes the weights of the checkpoint of ``step``, those of its ``best`` validation if it
        has one, unless those in the folder are intact and of this step or a later one; returns
        whether they are."""
        path, integrity = self.folder.path / WEIGHTS, integrity_of(self._document)
        step = best.step if best else step
        if (
            integrity is not None
            and (integrity.step or 0) >= step
            and path.is_file()
            and sha256_of(path) == integrity.weights
        ):
            return True
        data = serialized(weights)
        self._seal(step, data, best)
        self._write_weights(data)
        return False

    def _seal(self, step: int, data: bytes, best: Best | None) -> None:
        step = best.step if best else step
        self._document = sealed(self._document, step, sha256(data), best)

    def _write_weights(self, data: bytes) -> None:
        write_bytes(self.folder.path / WEIGHTS, data)
        write_json(self.folder.path / CONFIG, self._document)
