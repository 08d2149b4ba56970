"""Model of exported graphs: numpy in, numpy out. Imports no torch."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import UsageError, ZooError, printable
from zoo.export.metadata import Metadata
from zoo.runs.sources import is_here
from zoo.sampling.sampler import Sampler
from zoo.specs import Capability, Latent
from zoo_onnx.session import Session

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zoo.system.onnxruntime import Provider

FOLDER = "onnx"
"""The folder of graphs in a run folder, and the name of the format."""


class OnnxModel(Sampler["NDArray[Any]"]):
    """A :class:`zoo.Model` in numpy, of the graphs ``sampler`` and ``encoder``.

    A seed gives the images of the model itself, within the parity of the files. A graph is opened
    when it is first needed; several threads may call the model at once.
    """

    def __init__(
        self,
        folder: Path,
        device: Provider = "auto",
        precision: str = "fp32",
        threads: int | None = None,
        fetch: Callable[[str], Path] | None = None,
    ) -> None:
        self.folder = folder
        self._options = (device, threads)
        self._fetch = fetch
        self._suffix = "" if precision == "fp32" else f"_{precision}"
        self._sessions: dict[str, Session] = {}
        self._metadata: dict[str, Metadata] = {}
        self._lock = threading.Lock()

    @classmethod
    def load(
        cls,
        source: str | Path,
        device: Provider = "auto",
        *,
        precision: str = "fp32",
        threads: int | None = None,
        revision: str | None = None,
        token: str | None = None,
    ) -> OnnxModel:
        """Returns the model in a run folder or a folder of graphs, or of a run on the Hub.

        ``source`` is a path, ``"user/repo"`` or ``"user/repo@revision"``; of a run on the Hub only
        the graphs are downloaded, each when it is first needed. ``device`` is ``"auto"``,
        ``"cuda"`` or ``"cpu"``, ``threads`` the number of CPU threads; ``precision`` ``"fp16"``
        opens ``sampler_fp16.onnx``. Raises UsageError if there is no graph, ZooError if it cannot
        run as requested.
        """
        if precision not in ("fp32", "fp16"):
            raise UsageError(f"unknown precision {precision!r}: use fp32 or fp16")
        path, fetch = Path(source), None
        if revision is not None or not is_here(source):
            fetch = functools.partial(_fetched, source, revision, token)
        inner = path / FOLDER
        model = cls(inner if inner.is_dir() else path, device, precision, threads, fetch)
        model.session("sampler")
        return model

    # Description

    def __repr__(self) -> str:
        """Opens no graph: only one that is open is described."""
        parts = [repr(str(self.folder))]
        if metadata := self._metadata.get("sampler"):
            parts += [printable(metadata.model), "x".join(map(str, metadata.image_shape))]
            parts.append(self.device)
        return f"OnnxModel({', '.join(parts)})"

    @property
    def metadata(self) -> Metadata:
        """The metadata of the sampler's file."""
        self.session("sampler")
        return self._metadata["sampler"]

    @property
    def name(self) -> str:
        return self.metadata.model

    @property
    def latent(self) -> Latent:
        """Size and distribution of the latents, and the number of classes."""
        return self.metadata.latent

    @property
    def class_names(self) -> tuple[str, ...]:
        """Name of each class; empty for an unconditional model, and for a file without names."""
        return self.metadata.class_names

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return self.metadata.image_shape

    @property
    def temperature(self) -> float:
        return self.metadata.temperature

    @property
    def chunk(self) -> int:
        return self.session("sampler").batch

    @property
    def device(self) -> str:
        """The device of the sessions: ``"cuda"`` or ``"cpu"``."""
        return self.session("sampler").device

    # Primitives of the sampler

    def require(self, capability: Capability) -> None:
        """Raises UsageError without the encoder's file, and for the log-density of a model without
        one."""
        if capability in ("encode", "log_prob"):
            outputs = self.session("encoder").outputs
            if capability == "log_prob" and "log_prob" not in outputs:
                raise UsageError(f"{self.name} has no exact likelihood")

    def _generate(
        self, z: NDArray[Any], temperature: float, labels: NDArray[np.int64] | None
    ) -> NDArray[np.float32]:
        inputs = {"z": z, "temperature": np.array(temperature, np.float32)}
        return self.session("sampler").run(inputs | _labeled(labels))["image"]

    def _infer(
        self, images: NDArray[Any], labels: NDArray[np.int64] | None
    ) -> Mapping[str, NDArray[Any]]:
        return self.session("encoder").run({"image": images} | _labeled(labels))

    def _from_numpy(self, values: NDArray[np.float32]) -> NDArray[Any]:
        return values

    def _as_floats(self, values: Any) -> NDArray[np.float32]:
        if hasattr(values, "detach"):  # a tensor of torch; numpy has no bfloat16
            values = values.detach().cpu().float()
        return np.asarray(values, np.float32)

    def _concatenate(self, parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    # Graphs

    def session(self, graph: str) -> Session:
        """Returns the session of a graph.

        Raises UsageError if its file does not exist, ZooError if it cannot run.
        """
        with self._lock:
            if graph not in self._sessions:
                self._sessions[graph] = self._open(graph)
            return self._sessions[graph]

    def _open(self, graph: str) -> Session:
        path = self.folder / f"{graph}{self._suffix}.onnx"
        if self._fetch is not None:
            path = self._fetch(path.name)
            self.folder = path.parent
        if not path.exists():
            run = self.folder.parent if self.folder.name == FOLDER else self.folder
            raise UsageError(f"there is no {path}: zoo export {run} writes the model's graphs")
        session = Session(path, *self._options)
        metadata = Metadata.read(session.properties, path, graph)
        metadata.require_sizes(path, session.inputs, session.outputs)
        for name, other in self._metadata.items():
            different = other.difference(metadata)
            if different or other.weights_sha256 != metadata.weights_sha256:
                raise ZooError(
                    f"{path} and {self._sessions[name].path} have different "
                    f"{different or 'weights'}: zoo export writes both again"
                )
        self._metadata[graph] = metadata
        return session


def _fetched(source: str | Path, revision: str | None, token: str | None, name: str) -> Path:
    file = f"{FOLDER}/{name}"
    from zoo.api import locate

    return locate(source, (file,), revision=revision, token=token) / file


def _labeled(labels: NDArray[np.int64] | None) -> dict[str, NDArray[Any]]:
    return {} if labels is None else {"label": labels}
