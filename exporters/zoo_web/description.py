"""Description of a model for the page: model.json, from the metadata of its graphs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.api import locate
from zoo.errors import UsageError, ZooError
from zoo.export.metadata import Metadata
from zoo.runs.folder import CONFIG, RunFolder
from zoo.runs.sources import is_here
from zoo.system.console import say
from zoo_web.work import multiply_adds

if TYPE_CHECKING:
    import onnx

FORMAT = "onnx"
"""The format that the page runs. A run keeps the files of a format in a folder of that name, and so
does the page."""

GRAPHS = ("sampler", "encoder")
"""What the page can run; the first is needed."""


def graph_folder(source: str | Path) -> Path:
    """The run folder ``source``, or one with the graphs of a run that is fetched by that name.

    Raises UsageError where there is none, and where a run elsewhere has no graphs, which cannot be
    exported into what was fetched.
    """
    files = [f"{FORMAT}/{name}.onnx" for name in GRAPHS]
    folder = locate(source, (CONFIG,), optional=files)
    if not is_here(source) and not (folder / files[0]).exists():
        raise UsageError(
            f"{source} has no ONNX graphs: fetch it into a folder of yours with zoo pull, and they "
            "are exported there"
        )
    return folder


def graph_files(run: Path) -> dict[str, Path]:
    """The graphs of a run folder by name, exported first where there are none.

    Raises UsageError where ``run`` is not a run folder, and what ``Run.export`` raises.
    """
    RunFolder(run).read_config()
    if not (run / FORMAT / "sampler.onnx").exists():
        say(f"{run} has no ONNX graphs yet: they are written into {run / FORMAT} first")
        from zoo.api import load  # with torch, which a run that is exported does not need here

        load(run, "cpu").export(FORMAT)
    paths = {name: run / FORMAT / f"{name}.onnx" for name in GRAPHS}
    return {name: path for name, path in paths.items() if path.exists()}


def describe(run: Path, graphs: Mapping[str, Path]) -> dict[str, Any]:
    """Describes the model and each of ``graphs``, by the keys of model.json.

    Raises ZooError for a file that genzoo did not export, and for two of different models.
    """
    models = {name: _opened(path) for name, path in graphs.items()}
    metadata = {name: _metadata(graphs[name], model, name) for name, model in models.items()}
    sampler = metadata["sampler"]
    for name, other in metadata.items():
        if field := sampler.difference(other):
            raise ZooError(
                f"{graphs[name]} and {graphs['sampler']} are not of one model, their {field} "
                f"differs: zoo export {run} writes both again"
            )
    weights = RunFolder(run).weights_digest()
    if None not in (sampler.weights_sha256, weights) and sampler.weights_sha256 != weights:
        raise ZooError(
            f"{graphs['sampler']} is of other weights than the run's: zoo export {run} writes its "
            "graphs again"
        )
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
        "temperature": sampler.temperature,
        "data": sampler.data,
        **license,
        "channels": channels,
        "size": size,
        "bits": sampler.image_bits,
        "pad": _pad(run),
        "multiply_adds": multiply_adds(models["sampler"]),
        "graphs": {
            name: {
                "file": f"{FORMAT}/{path.name}",
                "bytes": path.stat().st_size,
                "parity": dict(metadata[name].parity),
            }
            for name, path in graphs.items()
        },
    }


def _opened(path: Path) -> onnx.ModelProto:
    import onnx

    try:
        return onnx.load(path, load_external_data=False)
    except Exception as error:  # of protobuf, of many kinds
        raise _damaged(path) from error


def _metadata(path: Path, model: onnx.ModelProto, graph: str) -> Metadata:
    return Metadata.read({entry.key: entry.value for entry in model.metadata_props}, path, graph)


def _damaged(path: Path) -> ZooError:
    return ZooError(f"{path} is damaged, it is no ONNX file: remove it, and it is exported again")


def _pad(run: Path) -> int:
    """The widest black border that the run's pictures got; the graphs do not know of it."""
    data = RunFolder(run).read_config().get("config", {}).get("data", {})
    pad = data.get("pad", 0) if isinstance(data, dict) else 0
    return pad if isinstance(pad, int) else 0
