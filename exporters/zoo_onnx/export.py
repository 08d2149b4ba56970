"""Export of a run's graphs to ONNX files, each compared with the network."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import torch

from zoo.errors import ZooError
from zoo.export import graphs
from zoo.system.files import replacing, write_errors, write_json
from zoo.system.onnx_files.file import MAX_BYTES
from zoo.system.progress import Progress
from zoo_onnx import convert, metadata, parity
from zoo_onnx.request import ALL, check_export, check_graph

if TYPE_CHECKING:
    from zoo.run import Run
    from zoo.specs import Graph

Precision = Literal["fp32", "fp16"]


@dataclass(frozen=True)
class Exported:
    """An exported graph and its parity report, the contents of the JSON file beside it."""

    path: Path
    report: Mapping[str, Any]

    @property
    def summary(self) -> str:
        """Size and largest errors, in one line."""
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
    """Writes the graph of ``run`` named ``graph``, or all, into ``out``, default ``RUN/onnx``.

    The files are ``sampler.onnx``, ``sampler.json`` and so on, with ``precision="fp16"``
    ``sampler_fp16.onnx``. All of them are written or none: if a graph differs from the network by
    more than the tolerances of :mod:`zoo_onnx.parity`, earlier files stay and ZooError is raised,
    as it is without onnxruntime. Raises UsageError for an unknown graph and for a flow in float16.
    """
    progress = progress or Progress()
    folder = check_export(run, precision, out)
    run = _on_cpu(run)
    selected = _select(run, graph)
    suffix = "_fp16" if precision == "fp16" else ""
    paths = {item.name: folder / f"{item.name}{suffix}.onnx" for item in selected}
    with contextlib.ExitStack() as stack:
        partial = {name: stack.enter_context(replacing(path)) for name, path in paths.items()}
        for index, item in enumerate(selected):
            progress.show("writing graphs", index, len(selected))
            model = convert.to_onnx(item, opset)
            if precision == "fp16":
                model = convert.to_half(model)
            metadata.describe(model, run, item, precision, opset)
            _save(model, partial[item.name], paths[item.name])
            del model
        measured = parity.measure(run, selected, partial, cast(Precision, precision), progress)
        exported = []
        for item in selected:
            path, temporary = paths[item.name], partial[item.name]
            report = metadata.report(run, item, precision, opset, measured[item.name])
            with write_errors(path), open(temporary, "ab") as file:
                file.write(metadata.parity_part(measured[item.name]).SerializeToString())
            report |= metadata.file_entry(temporary, path.name)
            exported.append(Exported(path, report))
    for result in exported:
        write_json(result.path.with_suffix(".json"), result.report)
    return exported


def _on_cpu(run: Run) -> Run:
    if run.device.type == "cpu":
        return run
    device = torch.device("cpu")
    return dataclasses.replace(run, network=copy.deepcopy(run.network).to(device), device=device)


def _select(run: Run, graph: str) -> Sequence[Graph]:
    available = graphs.graphs_of(run)
    check_graph(run.name, graph, [item.name for item in available])
    return [item for item in available if graph in (ALL, item.name)]


def _save(model: Any, partial: Path, path: Path) -> None:
    import onnx

    size = model.ByteSize()
    if size >= MAX_BYTES:
        raise ZooError(
            f"{path.name} would have {size / 2**30:.1f} GiB, and an ONNX file holds at most 2: "
            "train a smaller network"
        )
    data = model.SerializeToString(deterministic=True)
    onnx.checker.check_model(data)
    with write_errors(path):
        partial.write_bytes(data)
