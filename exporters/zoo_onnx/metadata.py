"""Metadata of an ONNX file, in its ``metadata_props`` and in the report beside it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.config import text as texts
from zoo.data.names import name_of
from zoo.export.metadata import MAX_NAMES, Description, parity_values
from zoo.report.card.summary import data_origin
from zoo.runs.folder import CONFIG
from zoo.runs.weights import weights_digest
from zoo.system.files import sha256_of

if TYPE_CHECKING:
    import onnx

    from zoo.run import Run
    from zoo.specs import Graph


def describe(model: onnx.ModelProto, run: Run, graph: Graph, precision: str, opset: int) -> None:
    """Writes into the model what an application needs to sample from it and to show it."""
    model.producer_name, model.producer_version = "genzoo", version("genzoo")
    model.graph.name = f"{run.name} {graph.name}"
    _put(model, {**_description(run, graph, precision, opset).values(), **graph.metadata})


def parity_part(measured: Mapping[str, Any]) -> onnx.ModelProto:
    """Returns the largest error of each output against torch in float64, as a model of its own.

    Appended to the bytes of the whole model it extends the metadata, so the weights are written
    once.
    """
    import onnx

    outputs = measured["outputs"]
    errors = {name: output["max_abs_error_float64"] for name, output in outputs.items()}
    round_trip = measured["round_trip"]["max_abs_error"] if "round_trip" in measured else None
    part = onnx.ModelProto()
    _put(part, parity_values(errors, round_trip))
    return part


def report(
    run: Run, graph: Graph, precision: str, opset: int, measured: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns the JSON beside the file, without :func:`file_entry`."""
    import onnxruntime
    import torch

    return {
        **_description(run, graph, precision, opset).values(),
        "torch_version": torch.__version__,
        "onnxruntime_version": onnxruntime.__version__,
        **measured,
    }


def file_entry(path: Path, name: str) -> dict[str, Any]:
    """Returns size and SHA-256 of the file that will be called ``name``."""
    return {"file": name, "bytes": path.stat().st_size, "sha256": sha256_of(path)}


def _description(run: Run, graph: Graph, precision: str, opset: int) -> Description:
    spec, image, latent = run.spec, run.image_spec, run.latent
    return Description(
        library_name="genzoo",
        genzoo_version=version("genzoo"),
        model=run.name,
        family=spec.family,
        title=spec.title,
        paper=spec.paper,
        graph=graph.name,
        precision=precision,
        opset=opset,
        latent_size=latent.size,
        latent_distribution=latent.distribution,
        classes=latent.classes,
        class_names=_class_names(run),
        temperature=spec.temperature,
        image_shape=(image.channels, image.size, image.size),
        image_bits=image.bits,
        data=name_of(run.config.data.source),
        data_licence=_data_license(run),
        weights_sha256=weights_digest(run.network),
    )


def _class_names(run: Run) -> tuple[str, ...]:
    """Returns the names of classes; none if they would fill the file."""
    names = run.class_names
    return names if sum(map(len, names)) <= MAX_NAMES else ()


def _data_license(run: Run) -> str | None:
    """Returns the license that config.json states, as the card does."""
    stored = run.folder.read_config() if (run.path / CONFIG).is_file() else {}
    known = stored.get("summary")
    _, license = data_origin(
        run.path, run.config.data.source, known if isinstance(known, dict) else {}
    )
    return license


def _put(model: onnx.ModelProto, values: Mapping[str, Any]) -> None:
    import onnx

    onnx.helper.set_model_props(model, {key: texts.write(value) for key, value in values.items()})
