"""The ONNX format of a run, for ``run.export`` and ``zoo sample --backend onnx``."""

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
    """Returns the format for ``zoo_formats``."""
    return Format(FOLDER, export, open_run, missing)


def export(run: Run, **options: Any) -> Sequence[Exported]:
    """:func:`zoo_onnx.export.export`, imported lazily."""
    from zoo_onnx.export import export

    return export(run, **options)


def open_run(source: Path | str, device: str) -> OnnxModel:
    """Returns the graphs in a run folder, or those of a run fetched by name.

    Raises UsageError without graphs, ZooError for graphs of other weights than the run's.
    """
    if not is_here(source):
        return OnnxModel.load(source, device)  # type: ignore[arg-type]
    folder = Path(source)
    RunFolder(folder).read_config()
    RunFolder(folder).remove_partial()
    if not (folder / FOLDER).is_dir():
        raise UsageError(f"{folder} has no graphs yet: zoo export {folder} writes them")
    model = OnnxModel.load(folder, device)  # type: ignore[arg-type]
    if RunFolder(folder).weights_digest() not in (None, model.metadata.weights_sha256):
        raise ZooError(
            f"the graphs in {model.folder} have other weights than {WEIGHTS}: run zoo export "
            f"{folder} again"
        )
    return model
