"""Description of a model for the page: model.json, from the metadata of its graphs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.api import locate
from zoo.errors import UsageError, ZooError
from zoo.export.metadata import Metadata
from zoo.runs.folder import CONFIG, RunFolder
from zoo.runs.sources import is_here
from zoo.system.console import say
from zoo.system.onnx_files.file import OnnxFile
from zoo.system.onnx_files.interface import Interface
from zoo.system.onnx_files.work import multiply_adds

FORMAT = "onnx"
"""The format that the page runs, and the name of its folder in runs and pages."""

GRAPHS = ("sampler", "encoder")
"""The graphs that the page runs; the first is required."""


def graph_folder(source: str | Path) -> Path:
    """Returns the run folder ``source``, or a folder with the graphs of a run fetched by name.

    Raises UsageError if there is none, and if a run on the Hub has no graphs: they are not exported
    into the cache.
    """
    files = [f"{FORMAT}/{name}.onnx" for name in GRAPHS]
    folder = locate(source, (CONFIG,), optional=files)
    if not is_here(source) and not (folder / files[0]).exists():
        raise UsageError(
            f"{source} has no ONNX graphs: download it with zoo pull and export them there"
        )
    return folder


def graph_files(run: Path) -> dict[str, Path]:
    """Returns the graphs of a run folder by name; exports them first if there are none.

    Raises UsageError if ``run`` is not a run folder, and whatever ``Run.export`` raises.
    """
    RunFolder(run).read_config()
    if not (run / FORMAT / "sampler.onnx").exists():
        say(f"{run} has no ONNX graphs yet: exporting them into {run / FORMAT}")
        from zoo.api import load  # imports torch, which an exported run does not need

        load(run, "cpu").export(FORMAT)
    paths = {name: run / FORMAT / f"{name}.onnx" for name in GRAPHS}
    return {name: path for name, path in paths.items() if path.exists()}


def describe(run: Path, graphs: Mapping[str, Path]) -> dict[str, Any]:
    """Describes the model and each of ``graphs``, by the keys of model.json.

    Raises ZooError for a file that genzoo did not export, and for two of different models.
    """
    files = {name: OnnxFile.read(path) for name, path in graphs.items()}
    metadata = {
        name: Metadata.read(file.properties, file.path, name) for name, file in files.items()
    }
    sampler = metadata["sampler"]
    for name, other in metadata.items():
        if field := sampler.difference(other):
            raise ZooError(
                f"{graphs[name]} and {graphs['sampler']} are of different models, their {field} "
                f"differs: zoo export {run} writes both again"
            )
    weights = RunFolder(run).weights_digest()
    if None not in (sampler.weights_sha256, weights) and sampler.weights_sha256 != weights:
        raise ZooError(
            f"{graphs['sampler']} has other weights than the run: zoo export {run} writes it again"
        )
    interfaces = {name: Interface.of(file, 1) for name, file in files.items()}
    for name, interface in interfaces.items():
        metadata[name].require_sizes(graphs[name], interface.inputs, interface.outputs)
    channels, size, _ = sampler.image_shape
    license = {} if sampler.data_license is None else {"data_licence": sampler.data_license}
    return {
        "library_name": sampler.library_name,
        "genzoo_version": sampler.genzoo_version,
        "model": sampler.model,
        "family": sampler.family,
        "title": sampler.title,
        "paper": sampler.paper,
        "latent_size": sampler.latent_size,
        "latent_distribution": sampler.latent_distribution,
        "classes": sampler.classes,
        "class_names": list(sampler.class_names),
        "temperature": sampler.temperature,
        "data": sampler.data,
        **license,
        "channels": channels,
        "size": size,
        "bits": sampler.image_bits,
        "pad": _pad(run),
        "multiply_adds": multiply_adds(files["sampler"].model, interfaces["sampler"].values),
        "graphs": {
            name: {
                "file": f"{FORMAT}/{path.name}",
                "bytes": path.stat().st_size,
                "parity": dict(metadata[name].parity),
            }
            for name, path in graphs.items()
        },
    }


def _pad(run: Path) -> int:
    """The width of the black border of the run's images, which is not part of the graphs."""
    config = RunFolder(run).read_config().get("config")
    data = config.get("data") if isinstance(config, dict) else None
    pad = data.get("pad") if isinstance(data, dict) else None
    return pad if isinstance(pad, int) else 0
