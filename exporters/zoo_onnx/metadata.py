"""What a file says of itself, in ``metadata_props`` and in the report beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.config import text as texts
from zoo.report.card.facts import data_origin
from zoo.runs.folder import CONFIG

if TYPE_CHECKING:
    import onnx

    from zoo.run import Run
    from zoo.specs import Graph


def describe(model: onnx.ModelProto, run: Run, graph: Graph, precision: str, opset: int) -> None:
    """Write into the model what it is: all that an application needs to draw and to show."""
    model.producer_name, model.producer_version = "genzoo", version("genzoo")
    model.graph.name = f"{run.name} {graph.name}"
    facts = {**_facts(run, graph, precision, opset), **graph.metadata}
    _put(model, facts)


def parity_part(measured: Mapping[str, Any]) -> onnx.ModelProto:
    """What was measured, the largest error of each output against torch in float64, as a model with
    nothing else. Behind the bytes of a whole model its bytes add to it, so no weight is written
    twice."""
    import onnx

    largest = {name: one["max_abs_error_float64"] for name, one in measured["outputs"].items()}
    facts = {"parity_max_abs_error": largest, "parity_reference": "the network in float64"}
    if "round_trip" in measured:
        facts["parity_round_trip"] = measured["round_trip"]["max_abs_error"]
    part = onnx.ModelProto()
    _put(part, facts)
    return part


def report(
    run: Run, graph: Graph, precision: str, opset: int, measured: Mapping[str, Any]
) -> dict[str, Any]:
    """The JSON beside the file, but for what :func:`file_facts` adds."""
    import onnxruntime
    import torch

    return {
        **_facts(run, graph, precision, opset),
        "torch_version": torch.__version__,
        "onnxruntime_version": onnxruntime.__version__,
        **measured,
    }


def file_facts(path: Path, name: str) -> dict[str, Any]:
    """Name, bytes and SHA-256 of a file that is to be called ``name``."""
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"file": name, "bytes": path.stat().st_size, "sha256": digest}


def _facts(run: Run, graph: Graph, precision: str, opset: int) -> dict[str, Any]:
    spec, image, latent = run.spec, run.image, run.latent
    facts = {
        "library_name": "genzoo",
        "genzoo_version": version("genzoo"),
        "model": run.name,
        "family": spec.family,
        "title": spec.title,
        "paper": spec.paper,
        "graph": graph.name,
        "precision": precision,
        "opset": opset,
        "latent_size": latent.size,
        "latent_distribution": latent.distribution,
        "classes": latent.classes,
        "temperature": spec.temperature,
        "image_shape": [image.channels, image.size, image.size],
        "image_range": [0, 1],
        "image_bits": image.bits,
        "data": Path(run.config.data.source).name,
    }
    if data_license := _data_license(run):
        facts["data_licence"] = data_license
    if weights := run.folder.weights_digest():
        facts["weights_sha256"] = weights
    return facts


def _data_license(run: Run) -> str | None:
    """The license that config.json states, as on the card."""
    stored = run.folder.read_config() if (run.path / CONFIG).is_file() else {}
    known = stored.get("facts")
    return data_origin(run.path, run.config.data.source, known if isinstance(known, dict) else {})[
        1
    ]


def _put(model: onnx.ModelProto, facts: Mapping[str, Any]) -> None:
    import onnx

    onnx.helper.set_model_props(model, {key: texts.write(value) for key, value in facts.items()})
