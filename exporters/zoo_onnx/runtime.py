"""A run's exported graphs as a model: numpy in, numpy out, and no torch."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.config import text as texts
from zoo.errors import UsageError, ZooError
from zoo.runs.sources import is_here, local
from zoo.sampling import latents
from zoo.sampling.interpolation import walks
from zoo.sampling.labels import choose
from zoo.specs import Latent
from zoo_onnx.session import Session

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zoo.system.onnxruntime import Provider

FOLDER = "onnx"
"""Where a run folder keeps its graphs: what the format is called."""

Labels = int | Sequence[int] | None

_FACTS = {"model", "latent_size", "latent_distribution", "classes", "temperature", "image_shape"}


class OnnxModel:
    """What :class:`zoo.Run` does with a network, by the graphs ``sampler`` and ``encoder``.

    The same seed draws the same pictures, as far as the files' parity says. A graph is opened when
    it is first needed; calls may come from several threads at once, and of any number of pictures.
    """

    def __init__(
        self,
        folder: Path,
        provider: Provider = "auto",
        precision: str = "fp32",
        threads: int | None = None,
        fetch: Callable[[str], Path] | None = None,
    ) -> None:
        self.folder = folder
        self._how = (provider, threads)
        self._fetch = fetch
        self._suffix = "" if precision == "fp32" else f"_{precision}"
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()

    @classmethod
    def load(
        cls,
        source: str | Path,
        provider: Provider = "auto",
        *,
        precision: str = "fp32",
        threads: int | None = None,
        revision: str | None = None,
        token: str | None = None,
    ) -> OnnxModel:
        """The model in a folder: a run folder with exported graphs, or one that has the graphs; or
        the run called ``"user/repo"`` or ``"user/repo@revision"`` elsewhere, of which nothing but
        the graphs is fetched, each when it is first needed.

        ``provider``, ``"auto"``, ``"cuda"`` or ``"cpu"``, and ``threads`` are those of
        :class:`zoo_onnx.session.Session`; ``precision`` ``"fp16"`` takes ``sampler_fp16.onnx``.
        Raises UsageError where no graph is there, ZooError where it cannot be run as asked for.
        """
        if precision not in ("fp32", "fp16"):
            raise UsageError(f"there is no precision {precision!r}: take fp32 or fp16")
        path, fetch = Path(source), None
        if revision is not None or not is_here(source):
            fetch = functools.partial(_fetched, source, revision, token)
        inner = path / FOLDER
        model = cls(inner if inner.is_dir() else path, provider, precision, threads, fetch)
        model.session("sampler")
        return model

    # What it is

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """What the sampler's file says of itself: model, image_shape, temperature, parity, ..."""
        return {key: texts.read(text) for key, text in self.session("sampler").facts.items()}

    @property
    def latent(self) -> Latent:
        """Size and distribution of the latents, and the classes that a sample can be asked for."""
        facts = self.facts
        return Latent(facts["latent_size"], facts["latent_distribution"], facts["classes"])

    @property
    def provider(self) -> str:
        """Where it runs: ``"cuda"`` or ``"cpu"``."""
        return self.session("sampler").provider

    # From latents to pictures

    def sample(
        self, n: int = 64, temperature: float | None = None, seed: int = 0, labels: Labels = None
    ) -> NDArray[np.float32]:
        """``n`` pictures, float32 ``[n, C, H, W]`` in [0, 1], those of ``run.sample``.

        Picture i depends on (seed, i) alone. ``temperature`` defaults to the model's own;
        ``labels`` are one class or one for each picture, by default the classes in turn.
        """
        if n < 1:
            raise UsageError(f"the number of pictures must be at least 1, got {n}")
        latent, step = self.latent, self.session("sampler").batch
        chosen = self._labels(n, labels)
        pictures = np.empty((n, *self.facts["image_shape"]), np.float32)
        for first in range(0, n, step):
            part = slice(first, min(first + step, n))
            z = latents.draw(part.stop - first, latent.size, latent.distribution, seed, first)
            pictures[part] = self._draw(z, temperature, None if chosen is None else chosen[part])
        return pictures

    def interpolate(
        self,
        rows: int = 8,
        columns: int = 8,
        temperature: float | None = None,
        seed: int = 0,
        labels: Labels = None,
    ) -> NDArray[np.float32]:
        """``rows`` walks between two samples in ``columns`` steps, those of ``run.interpolate``:
        float32 ``[rows * columns, C, H, W]``."""
        chosen = self._labels(rows, labels)
        along = None if chosen is None else chosen.repeat(columns)
        return self._draw(walks(self.latent, rows, columns, seed), temperature, along)

    def decode(
        self, z: NDArray[Any], labels: Labels = None, temperature: float | None = 1.0
    ) -> NDArray[np.float32]:
        """Pictures ``[N, C, H, W]`` in [0, 1] of latents ``[N, latent.size]``."""
        if z.ndim != 2 or z.shape[1] != self.latent.size:
            raise UsageError(f"latents are [N, {self.latent.size}], got {list(z.shape)}")
        return self._draw(z, temperature, self._labels(len(z), labels))

    def _draw(
        self, z: NDArray[Any], temperature: float | None, labels: NDArray[np.int64] | None
    ) -> NDArray[np.float32]:
        chosen = self.facts["temperature"] if temperature is None else temperature
        given = {"z": z, "temperature": np.array(chosen, np.float32)}
        return self.session("sampler").run(given | _labelled(labels))["image"]

    # From pictures to latents

    def encode(self, images: NDArray[Any], labels: Labels = None) -> NDArray[np.float32]:
        """Latents ``[N, latent.size]`` of pictures ``[N, C, H, W]`` in [0, 1]; for a model with an
        approximate posterior its mean."""
        found = self.encoded(images, labels)
        return found["z"] if "z" in found else found["mean"]

    def log_prob(self, images: NDArray[Any], labels: Labels = None) -> NDArray[np.float32]:
        """The log-density at pictures ``[N, C, H, W]`` in [0, 1], in nats, ``[N]``."""
        found = self.encoded(images, labels)
        if "log_prob" not in found:
            raise UsageError(f"{self.facts['model']} has no exact likelihood")
        return found["log_prob"]

    def encoded(self, images: NDArray[Any], labels: Labels = None) -> dict[str, NDArray[Any]]:
        """All outputs of the encoder by name: ``z`` and ``log_prob``, or ``mean`` and
        ``log_variance``."""
        encoder = self.session("encoder")
        want = self.facts["image_shape"]
        if images.ndim != 4 or list(images.shape[1:]) != want or images.dtype.kind != "f":
            raise UsageError(
                f"pictures are float [N, {', '.join(map(str, want))}] in [0, 1], got "
                f"{images.dtype} {list(images.shape)}"
            )
        return encoder.run({"image": images} | _labelled(self._labels(len(images), labels)))

    # Graphs

    def session(self, graph: str) -> Session:
        """The graph of that name in onnxruntime.

        Raises UsageError where its file is not there, ZooError where it cannot be run.
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
            raise UsageError(f"there is no {path}: zoo export {run} writes what the model has")
        session = Session(path, *self._how)
        if session.facts.get("library_name") != "genzoo" or session.facts.get("graph") != graph:
            raise ZooError(f"{path} is no {graph} that genzoo exported: zoo export writes one")
        if graph == "sampler":
            _check(session)
        for other in self._sessions.values():
            if other.facts.get("weights_sha256") != session.facts.get("weights_sha256"):
                raise ZooError(
                    f"{path} and {other.path} are of different weights: zoo export writes both"
                )
        return session

    def _labels(self, n: int, labels: Labels) -> NDArray[np.int64] | None:
        return choose(n, labels, self.latent.classes, self.facts["model"])


def _check(sampler: Session) -> None:
    """Raise ZooError for a file whose metadata and inputs are not those of one sampler: what it
    says of itself decides how much is drawn."""
    facts = {key: texts.read(text) for key, text in sampler.facts.items()}
    missing = sorted(_FACTS - facts.keys())
    sizes = [facts.get("latent_size")], facts.get("image_shape")
    if missing or (sampler.inputs.get("z", [])[1:], sampler.outputs.get("image", [])[1:]) != sizes:
        why = f"they lack {missing[0]}" if missing else "their sizes are not the graph's"
        raise ZooError(
            f"{sampler.path} is no sampler that genzoo exported, by its metadata: {why}; zoo "
            "export writes one"
        )


def _fetched(source: str | Path, revision: str | None, token: str | None, name: str) -> Path:
    file = f"{FOLDER}/{name}"
    return local(source, (file,), revision=revision, token=token) / file


def _labelled(labels: NDArray[np.int64] | None) -> dict[str, NDArray[Any]]:
    return {} if labels is None else {"label": labels}
