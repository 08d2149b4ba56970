"""ONNX as a format of runs: what ``run.export`` and ``zoo sample --backend onnx`` call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import UsageError, ZooError
from zoo.runs.folder import WEIGHTS, RunFolder
from zoo.runs.sources import is_here
from zoo.specs import Format
from zoo.system.onnxruntime import missing
from zoo_onnx.runtime import FOLDER, OnnxModel

if TYPE_CHECKING:
    from zoo.run import Run
    from zoo_onnx.export import Exported


def onnx_format() -> Format:
    return Format(FOLDER, export, open_run, missing)


def export(run: Run, **options: Any) -> Sequence[Exported]:
    """:func:`zoo_onnx.export.export`, imported when it is called."""
    from zoo_onnx.export import export

    return export(run, **options)


def open_run(source: Path | str, device: str) -> OnnxModel:
    """The graphs in a run folder, or of a run that is fetched by its name.

    Raises UsageError where there are none, ZooError where they are of other weights than the run's.
    """
    if not is_here(source):
        return OnnxModel.load(source, device)  # type: ignore[arg-type]
    folder = Path(source)
    RunFolder(folder).read_config()
    if not (folder / FOLDER).is_dir():
        raise UsageError(f"{folder} has no graphs yet: zoo export {folder} writes them")
    model = OnnxModel.load(folder, device)  # type: ignore[arg-type]
    if RunFolder(folder).weights_digest() not in (None, model.metadata.weights_sha256):
        raise ZooError(
            f"{model.folder} has the graphs of other weights than {WEIGHTS}: zoo export {folder} "
            "writes them again"
        )
    return model
