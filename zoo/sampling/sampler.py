"""Sampling, interpolation and encoding of a model over two primitives; no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from zoo.sampling import latents
from zoo.sampling.checks import (
    check_finite,
    check_floats,
    check_integer,
    check_range,
    check_seed,
    check_temperature,
)
from zoo.sampling.interpolation import interpolations
from zoo.sampling.labels import choose
from zoo.specs import Capability, Labels, Latent

if TYPE_CHECKING:
    from numpy.typing import NDArray

Array = TypeVar("Array", bound=Any)
"""The arrays of a sampler: ``torch.Tensor`` or ``numpy.ndarray``."""


class Sampler(ABC, Generic[Array]):
    """Base of :class:`zoo.Model` (torch) and ``zoo_onnx.OnnxModel`` (numpy).

    Labels, the default temperature, latents, checks and chunks are handled here; a subclass
    implements :meth:`_generate` and :meth:`_infer` for one chunk. Image i of a seed depends on
    (seed, i) alone. Arrays may be of another library, device or floating-point type: they are
    converted. Values that cannot be right raise UsageError.
    """

    # Provided by the subclass

    @property
    @abstractmethod
    def name(self) -> str:
        """Name of the model."""

    @property
    @abstractmethod
    def latent(self) -> Latent:
        """Size and distribution of the latents, and the number of classes."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Name of each class; empty for an unconditional model and for one without names."""
        return ()

    @property
    @abstractmethod
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""

    @property
    @abstractmethod
    def temperature(self) -> float:
        """The default temperature of samples."""

    @property
    @abstractmethod
    def chunk(self) -> int:
        """Maximum number of images per call of a primitive."""

    @abstractmethod
    def require(self, capability: Capability) -> None:
        """Raises UsageError if the model lacks ``capability``."""

    @abstractmethod
    def _generate(self, z: Array, temperature: float, labels: NDArray[np.int64] | None) -> Array:
        """Images ``[n, C, H, W]`` in [0, 1] of at most ``chunk`` latents ``[n, latent.size]``."""

    @abstractmethod
    def _infer(self, images: Array, labels: NDArray[np.int64] | None) -> Mapping[str, Array]:
        """Encodings of at most ``chunk`` images by name: ``z`` and ``log_prob``, or ``mean`` and
        ``log_variance``."""

    @abstractmethod
    def _from_numpy(self, values: NDArray[np.float32]) -> Array:
        """The values as an array of this sampler."""

    @abstractmethod
    def _as_floats(self, values: Any) -> Array:
        """Floating-point numbers, of any library, as an array of this sampler in its precision."""

    @abstractmethod
    def _concatenate(self, parts: Sequence[Array]) -> Array:
        """The parts along the first dimension."""

    # Images

    def sample(
        self,
        n: int = 64,
        *,
        seed: int = 0,
        temperature: float | None = None,
        labels: Labels = None,
    ) -> Array:
        """Returns ``n`` images, float32 ``[n, C, H, W]`` in [0, 1], on the CPU.

        ``temperature`` scales the spread of the latents and defaults to the model's own. ``labels``
        are for conditional models: one class, one per image, or by default the classes in turn; see
        :data:`zoo.specs.Labels`. Raises UsageError for an ``n`` below 1, a seed outside
        0 ... 2^64 - 1, a temperature that is negative or not finite, and labels that the model
        cannot take.
        """
        parts = [*self.stream(n, seed=seed, temperature=temperature, labels=labels)]
        return self._concatenate(parts)

    def stream(
        self,
        n: int,
        *,
        seed: int = 0,
        temperature: float | None = None,
        labels: Labels = None,
    ) -> Iterator[Array]:
        """:meth:`sample` in chunks, for more images than fit into memory."""
        n, seed = check_integer(n, "the number of images", 1), check_seed(seed)
        value, classes = self._temperature(temperature), self.class_labels(n, labels)
        return self._stream(n, seed, value, classes)

    def _stream(
        self, n: int, seed: int, temperature: float, classes: NDArray[np.int64] | None
    ) -> Iterator[Array]:
        for part in self._chunks(n):
            z = latents.draw(
                part.stop - part.start,
                self.latent.size,
                self.latent.distribution,
                seed,
                part.start,
            )
            yield self._generate(self._from_numpy(z), temperature, _rows(classes, part))

    def interpolate(
        self,
        rows: int = 8,
        columns: int = 8,
        *,
        seed: int = 0,
        temperature: float | None = None,
        labels: Labels = None,
    ) -> Array:
        """Returns ``rows`` interpolations of ``columns`` images: ``[rows * columns, C, H, W]``.

        Row r goes from image 2r of :meth:`sample` to image 2r + 1, on the path of
        :func:`zoo.sampling.interpolation.interpolate`; ``labels`` are one class or one per row.
        Raises UsageError for fewer than one row or two columns.
        """
        self.require("interpolate")
        value = self._temperature(temperature)
        z = self._from_numpy(interpolations(self.latent, rows, columns, seed))
        classes = self.class_labels(rows, labels)
        per_image = None if classes is None else classes.repeat(columns)
        return self._decoded(z, value, per_image)

    def decode(self, z: Array, *, temperature: float | None = 1.0, labels: Labels = None) -> Array:
        """Returns images ``[N, C, H, W]`` in [0, 1] of latents ``[N, latent.size]``.

        Raises UsageError for latents of another shape, or not finite.
        """
        check_floats(z, (self.latent.size,), "latents")
        z = self._as_floats(z)
        check_finite(z, "latents")
        value = self._temperature(temperature)
        return self._decoded(z, value, self.class_labels(len(z), labels))

    # Encodings

    def encode(self, images: Array, *, labels: Labels = None) -> Array:
        """Returns latents ``[N, latent.size]`` of images ``[N, C, H, W]`` in [0, 1]; the mean of an
        approximate posterior."""
        encodings = self.encodings(images, labels=labels)
        return encodings["z"] if "z" in encodings else encodings["mean"]

    def reconstruct(self, images: Array, *, labels: Labels = None) -> Array:
        """Returns images ``[N, C, H, W]`` in [0, 1], encoded and decoded again."""
        z = self.encode(images, labels=labels)
        return self._decoded(z, 1.0, self.class_labels(len(z), labels))

    def log_prob(self, images: Array, *, labels: Labels = None) -> Array:
        """Returns the log-density of images ``[N, C, H, W]`` in [0, 1], in nats, ``[N]``: in the
        unit cube, where a pixel value is the center of its bin."""
        self.require("log_prob")
        return self.encodings(images, labels=labels)["log_prob"]

    def encodings(self, images: Array, *, labels: Labels = None) -> dict[str, Array]:
        """Returns everything that the encoder computes, by name: ``z`` and ``log_prob``, or
        ``mean`` and ``log_variance``.

        Raises UsageError if the model has no encoder, and for images of another shape or with
        values outside [0, 1].
        """
        self.require("encode")
        images = self.checked_images(images)
        return self.encodings_unchecked(images, self.class_labels(len(images), labels))

    def encodings_unchecked(
        self, images: Array, classes: NDArray[np.int64] | None
    ) -> dict[str, Array]:
        """:meth:`encodings` of images of any values, with the class of each: those of dequantized
        values lie up to half a bin outside of [0, 1]."""
        parts = [
            self._infer(images[part], _rows(classes, part)) for part in self._chunks(len(images))
        ]
        return {name: self._concatenate([part[name] for part in parts]) for name in parts[0]}

    # Checks and defaults

    def checked_images(self, images: Any) -> Array:
        """Returns images as an array of this sampler in its precision, clamped to [0, 1].

        Raises UsageError for anything but finite floating-point images of the model's shape, in
        [0, 1] up to rounding errors.
        """
        check_floats(images, self.image_shape, "images", " in [0, 1]")
        images = self._as_floats(images)
        check_range(images)
        return images.clip(0, 1)

    def class_labels(self, n: int, labels: Labels = None) -> NDArray[np.int64] | None:
        """The class of each of ``n`` images, int64 ``[n]``; None for an unconditional model."""
        return choose(n, labels, self.latent.classes, self.name, self.class_names)

    def _temperature(self, temperature: float | None) -> float:
        return self.temperature if temperature is None else check_temperature(temperature)

    def _decoded(self, z: Array, temperature: float, classes: NDArray[np.int64] | None) -> Array:
        parts = self._chunks(len(z))
        return self._concatenate(
            [self._generate(z[part], temperature, _rows(classes, part)) for part in parts]
        )

    def _chunks(self, n: int) -> Iterator[slice]:
        """Consecutive ranges of at most ``chunk`` rows; one empty range for no rows."""
        for first in range(0, max(n, 1), self.chunk):
            yield slice(first, min(first + self.chunk, n))


def _rows(labels: NDArray[np.int64] | None, part: slice) -> NDArray[np.int64] | None:
    return None if labels is None else labels[part]
