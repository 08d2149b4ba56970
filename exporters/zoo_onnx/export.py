"""From a run to ONNX files that were compared with its network."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import torch

from zoo.errors import UsageError, ZooError
from zoo.export import graphs
from zoo.system.files import replacing, write_errors, write_json
from zoo.system.onnxruntime import require_provider
from zoo.system.progress import Progress
from zoo_onnx import convert, metadata, parity
from zoo_onnx.runtime import FOLDER

if TYPE_CHECKING:
    from zoo.run import Run
    from zoo.specs import Graph

Precision = Literal["fp32", "fp16"]
MOST_BYTES = 2 * 2**30
"""What one file can hold: the format's own limit."""


@dataclass(frozen=True)
class Exported:
    """A graph that was written, and its parity report, the contents of the JSON beside it."""

    path: Path
    report: Mapping[str, Any]

    @property
    def summary(self) -> str:
        """What was measured, in a line."""
        size = self.path.stat().st_size
        text = f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"
        return f"{text}, {parity.summary(self.report['outputs'])}"


def export(
    run: Run,
    graph: str = "all",
    precision: str = "fp32",
    opset: int = 20,
    out: Path | None = None,
    progress: Progress | None = None,
) -> list[Exported]:
    """Write the graphs of ``run`` called ``graph``, or all, into ``out``, by default ``onnx`` in
    its folder: ``sampler.onnx`` and ``sampler.json`` and so on, with ``precision`` ``"fp16"``
    ``sampler_fp16.onnx``.

    All of them are written or none: where one is not what the network is, within the tolerances of
    :mod:`zoo_onnx.parity`, earlier files stay as they were. Raises ZooError then, and where
    onnxruntime is missing; UsageError for a graph that the model does not have and for an exact
    likelihood's flow in float16.
    """
    told = progress or Progress()
    require_provider()
    if precision == "fp16" and "log_prob" in run.spec.capabilities:
        raise UsageError(
            f"--precision fp16 is not for {run.name}: each layer of a flow enlarges what the one "
            "before has rounded, so its graphs stay in fp32"
        )
    if run.source is not None and out is None:
        raise UsageError(
            f"{run.source} is not a local folder: name a folder for its graphs, -o DIR"
        )
    folder = run.path / FOLDER if out is None else out
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"-o {folder}: a file stands there; name a folder")
    run = _on_cpu(run)
    chosen = _chosen(run, graph)
    suffix = "_fp16" if precision == "fp16" else ""
    paths = {one.name: folder / f"{one.name}{suffix}.onnx" for one in chosen}
    with contextlib.ExitStack() as stack:
        beside = {name: stack.enter_context(replacing(path)) for name, path in paths.items()}
        for index, one in enumerate(chosen):
            told.show("writing graphs", index, len(chosen))
            model = convert.to_onnx(one, opset)
            if precision == "fp16":
                model = convert.to_half(model)
            metadata.describe(model, run, one, precision, opset)
            _save(model, beside[one.name], paths[one.name])
            del model
        measured = parity.measure(run, chosen, beside, cast(Precision, precision), told)
        exported = []
        for one in chosen:
            report = metadata.report(run, one, precision, opset, measured[one.name])
            with write_errors(paths[one.name]), open(beside[one.name], "ab") as file:
                file.write(metadata.parity_part(measured[one.name]).SerializeToString())
            report |= metadata.file_facts(beside[one.name], paths[one.name].name)
            exported.append(Exported(paths[one.name], report))
    for one_exported in exported:
        write_json(one_exported.path.with_suffix(".json"), one_exported.report)
    return exported


def _on_cpu(run: Run) -> Run:
    if run.device.type == "cpu":
        return run
    device = torch.device("cpu")
    return dataclasses.replace(run, network=copy.deepcopy(run.network).to(device), device=device)


def _chosen(run: Run, graph: str) -> Sequence[Graph]:
    found = graphs.graphs_of(run)
    if graph == "all":
        return found
    chosen = [one for one in found if one.name == graph]
    if not chosen:
        names = " and ".join(one.name for one in found)
        raise UsageError(f"--graph {graph}: {run.name} has no such graph, it has {names}")
    return chosen


def _save(model: Any, beside: Path, path: Path) -> None:
    import onnx

    size = model.ByteSize()
    if size >= MOST_BYTES:
        raise ZooError(
            f"{path.name} would have {size / 2**30:.1f} GiB, and an ONNX file holds 2: train a "
            "smaller network"
        )
    written = model.SerializeToString(deterministic=True)
    onnx.checker.check_model(written)
    with write_errors(path):
        beside.write_bytes(written)
