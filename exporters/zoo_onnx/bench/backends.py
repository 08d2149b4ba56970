"""Backends that sample a run's images, each from latents in host memory to images in host memory,
as an application does."""

from __future__ import annotations

import contextlib
import functools
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import nn

from zoo.errors import ZooError
from zoo.export import graphs
from zoo.sampling import latents
from zoo.system.onnx_files.file import OnnxFile
from zoo.system.onnx_files.interface import input_shapes
from zoo.system.onnx_files.memory import MAX_MEMORY, require_fitting
from zoo.system.onnxruntime import open_session, run_errors
from zoo.system.progress import Progress
from zoo_onnx.runtime import FOLDER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zoo.run import Run
    from zoo.specs import Graph

TITLES = {"torch": "torch", "compile": "torch.compile", "onnx": "onnxruntime"}
"""The backends by their names in ``--backend``."""

PER_IMAGE = 2**26
"""Maximum bytes of an exported sampler's values for each image of a batch."""


@dataclass(frozen=True)
class LatentBatch:
    """Latents float32 ``[N, latent.size]`` and, of a conditional model, classes int64 ``[N]``."""

    z: NDArray[np.float32]
    labels: NDArray[np.int64] | None

    def __len__(self) -> int:
        return len(self.z)


Backend = Callable[[LatentBatch], "NDArray[Any]"]
"""Images ``[N, C, H, W]`` of a batch, computed when it returns."""


def batch_of(run: Run, size: int) -> LatentBatch:
    """The first latents of seed 0, and the classes in turn."""
    latent = run.latent
    labels = np.arange(size) % latent.classes if latent.classes else None
    return LatentBatch(latents.draw(size, latent.size, latent.distribution), labels)


def sampler_of(run: Run) -> Graph:
    """The graph ``sampler``, frozen, on the run's device. Raises ZooError if it has other inputs
    than latents, classes and a temperature."""
    samplers = [graph for graph in graphs.graphs_of(run) if graph.name == "sampler"]
    if not samplers:
        raise ZooError(f"{run.name} has no graph 'sampler' to measure")
    if unknown := set(samplers[0].inputs) - {"z", "temperature", "label"}:
        raise ZooError(f"the sampler of {run.name} takes {', '.join(sorted(unknown))} as well")
    return samplers[0]


def make(name: str, run: Run, graph: Graph, progress: Progress) -> Backend:
    """Returns the backend ``name``; ``graph`` is :func:`sampler_of` the run."""
    if name == "torch":
        return eager(run)
    return compiled(run, graph) if name == "compile" else onnx(run, progress)


def eager(run: Run) -> Backend:
    """The network as trained, called as ``zoo sample`` calls it."""
    run.network.eval()

    @torch.inference_mode()
    def sample(batch: LatentBatch) -> NDArray[Any]:
        labels = None if batch.labels is None else torch.from_numpy(batch.labels).to(run.device)
        z = torch.from_numpy(batch.z).to(run.device)
        return run.sample_hook(z, run.temperature, labels).cpu().numpy()

    return sample


def compiled(run: Run, graph: Graph) -> Backend:
    """The frozen sampler, traced and compiled by torch.compile in its default mode. The first call
    of a batch size may compile."""
    with graphs.quietly():
        program = cast(nn.Module, torch.compile(graphs.trace(graph).module(), dynamic=True))
    temperature = torch.tensor(run.temperature, device=run.device)

    @torch.inference_mode()
    def sample(batch: LatentBatch) -> NDArray[Any]:
        inputs = {"z": torch.from_numpy(batch.z).to(run.device), "temperature": temperature}
        if batch.labels is not None:
            inputs["label"] = torch.from_numpy(batch.labels).to(run.device)
        feeds = {name: inputs[name] for name in graph.inputs}
        return graphs.run(program, graph, feeds)["image"].cpu().numpy()

    return sample


def onnx(run: Run, progress: Progress) -> Backend:
    """The exported sampler in onnxruntime: the run's own file, else a temporary export."""
    with _exported(run, progress) as path:
        file = OnnxFile.read(path)
        shapes = functools.partial(input_shapes, file)
        names = set(shapes(1))
        if unknown := names - {"z", "temperature", "label"}:
            raise file.error(f"takes {min(unknown)!r:.80} as well as latents and classes")
        session = open_session(path, run.device.type, torch.get_num_threads())
    temperature = np.array(run.temperature, np.float32)

    @functools.cache
    def check(size: int) -> None:
        require_fitting(file, shapes, size, max(MAX_MEMORY, size * PER_IMAGE))

    def sample(batch: LatentBatch) -> NDArray[Any]:
        check(len(batch))
        inputs = {"z": batch.z, "temperature": temperature, "label": batch.labels}
        with run_errors(path):
            (images,) = session.run(["image"], {name: inputs[name] for name in names})
        return images

    return sample


def reason_of(error: BaseException) -> str:
    """The first cause of a backend's failure, in one line."""
    while True:
        inner = getattr(error, "inner_exception", None) or error.__cause__
        if inner is None:
            break
        error = inner
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    name = "" if isinstance(error, ZooError) else f"{type(error).__name__}: "
    return f"{name}{lines[0]}" if lines else type(error).__name__


@contextlib.contextmanager
def _exported(run: Run, progress: Progress) -> Iterator[Path]:
    from zoo_onnx.export import export

    path = run.path / FOLDER / "sampler.onnx"
    if path.exists():
        yield path
        return
    progress.say(f"{path} does not exist: exporting the sampler to a temporary file")
    with tempfile.TemporaryDirectory() as folder:
        (exported,) = export(run, "sampler", out=Path(folder), progress=progress)
        yield exported.path
