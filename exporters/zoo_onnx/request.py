"""Checks of an export that need no network and no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import UsageError
from zoo.system.onnxruntime import require_provider
from zoo_onnx.runtime import FOLDER

if TYPE_CHECKING:
    from zoo.run import Run
    from zoo.runs.stored import StoredRun

ALL = "all"


def check_export(run: Run | StoredRun, precision: str, out: Path | None) -> Path:
    """Returns the folder of the graphs.

    Raises UsageError for a flow in float16 and for a folder that cannot be written, ZooError
    without onnxruntime.
    """
    require_provider()
    if precision == "fp16" and "log_prob" in run.spec.capabilities:
        raise UsageError(
            f"--precision fp16 is not available for {run.name}: every layer of a flow amplifies "
            "rounding errors, so its graphs stay in fp32"
        )
    if run.source is not None and out is None:
        raise UsageError(
            f"{run.source} is not a local folder: name a folder for its graphs, -o DIR"
        )
    folder = run.path / FOLDER if out is None else out
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"-o {folder} is a file: name a folder")
    return folder


def check_graph(model: str, graph: str, names: Sequence[str]) -> None:
    """Raises UsageError for a graph that is not among the ``names`` of the model's, nor all."""
    if graph not in (ALL, *names):
        raise UsageError(
            f"--graph {graph}: {model} has no such graph, it has {' and '.join(names)}"
        )
