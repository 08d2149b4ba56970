"""What the page knows of a model: the metadata of its graphs, as JSON that a browser reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.api import locate
from zoo.config import text as texts
from zoo.errors import UsageError, ZooError
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

_OF_MODEL = (
    "model",
    "family",
    "title",
    "paper",
    "latent_size",
    "latent_distribution",
    "classes",
    "temperature",
    "image_shape",
    "image_bits",
    "data",
)
"""What both graphs of one model say alike."""


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


def facts(run: Path, graphs: Mapping[str, Path]) -> dict[str, Any]:
    """What model.json says of the model and of each of ``graphs``.

    Raises ZooError for a file that is no graph of genzoo's, and for two that are not of one model.
    """
    models = {name: _opened(path) for name, path in graphs.items()}
    metadata = {name: _metadata(path, models[name]) for name, path in graphs.items()}
    known = metadata["sampler"]
    for name, other in metadata.items():
        if differing := [key for key in _OF_MODEL if other.get(key) != known.get(key)]:
            raise ZooError(
                f"{graphs[name]} and {graphs['sampler']} are not of one model, their "
                f"{differing[0]} differs: zoo export {run} writes both again"
            )
    stated, weights = known.get("weights_sha256"), RunFolder(run).weights_digest()
    if None not in (stated, weights) and stated != weights:
        raise ZooError(
            f"{graphs['sampler']} is of other weights than the run's: zoo export {run} writes its "
            "graphs again"
        )
    channels, size, _ = known["image_shape"]
    said = {key: known[key] for key in _OF_MODEL if not key.startswith("image")}
    if "data_licence" in known:
        said["data_licence"] = known["data_licence"]
    return {
        "library_name": "genzoo",
        "genzoo_version": known["genzoo_version"],
        **said,
        "channels": channels,
        "size": size,
        "bits": known["image_bits"],
        "pad": _pad(run),
        "multiply_adds": multiply_adds(models["sampler"]),
        "graphs": {
            name: {
                "file": f"{FORMAT}/{path.name}",
                "bytes": path.stat().st_size,
                "parity": metadata[name].get("parity_max_abs_error", {}),
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


def _metadata(path: Path, model: onnx.ModelProto) -> dict[str, Any]:
    stored = {one.key: texts.read(one.value) for one in model.metadata_props}
    if missing := [key for key in ("genzoo_version", *_OF_MODEL) if key not in stored]:
        raise ZooError(
            f"{path} does not say its {missing[0]}, so it is no graph of genzoo's: remove it, and "
            "it is exported again"
        )
    return stored


def _damaged(path: Path) -> ZooError:
    return ZooError(f"{path} is damaged, it is no ONNX file: remove it, and it is exported again")


def _pad(run: Path) -> int:
    """The widest black border that the run's pictures got; the graphs do not know of it."""
    data = RunFolder(run).read_config().get("config", {}).get("data", {})
    pad = data.get("pad", 0) if isinstance(data, dict) else 0
    return pad if isinstance(pad, int) else 0
