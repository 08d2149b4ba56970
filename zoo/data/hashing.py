"""Hashes of images: of their pixels as they are stored, before any scaling.

An image has one hash in every container: as a PNG in gray, as RGB with equal channels, with an
opaque alpha channel, as an array of any integer type, or as 0 and 1 instead of 0 and 255.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.data.preparation.decode import plain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zoo.data.source import StoredImage

_BYTES = 16


def image_hash(stored: StoredImage, location: str) -> bytes:
    """Returns the hash of an image's size and pixels, 16 bytes.

    Raises ZooError, naming ``location``, for an image that cannot be decoded.
    """
    pixels = _values(stored, location)
    channels = [pixels[..., channel].tobytes() for channel in range(pixels.shape[2])]
    if pixels.dtype == np.uint8:
        if len(channels) in (2, 4) and not channels[-1].strip(b"\xff"):
            del channels[-1]  # opaque
        if len(channels) in (3, 4) and channels[0] == channels[1] == channels[2]:
            del channels[1:3]  # gray
    height, width = pixels.shape[:2]
    header = f"{pixels.dtype} {height} {width} {len(channels)} ".encode()
    return hashlib.blake2b(b"".join([header, *channels]), digest_size=_BYTES).digest()


def seeded_ranks(hashes: Iterable[bytes], seed: int, purpose: str) -> NDArray[np.uint64]:
    """Returns a number for each hash, uint64 [N]: its rank in a random order, which depends on the
    hash, ``seed`` and ``purpose`` alone."""
    key, person = str(seed).encode(), purpose.encode()
    ranks = b"".join(
        hashlib.blake2b(value, digest_size=8, key=key, person=person).digest() for value in hashes
    )
    return np.frombuffer(ranks, ">u8").astype(np.uint64)


def _values(stored: StoredImage, location: str) -> NDArray[Any]:
    """Returns the stored values [H, W, C]: uint8 if they fit, else int64 or float32."""
    if isinstance(stored, np.ndarray) and stored.ndim in (2, 3) and stored.size:
        values: NDArray[Any] = stored
    elif getattr(stored, "mode", "").startswith(("I", "F")):  # more than 8 bits
        values = np.asarray(stored)
    else:
        values = np.asarray(plain(stored, location)[0])
    values = values if values.ndim == 3 else values[..., None]
    if values.dtype != np.uint8:
        values = _smallest_type(values)
    if values.dtype == np.uint8 and values.max() <= 1:
        return values * np.uint8(255)  # one bit
    return values


def _smallest_type(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype == bool:
        return values.astype(np.uint8)
    if values.dtype.kind == "f":
        values = values.astype(np.float64)
        whole = (np.abs(values) < 2**31) & (np.floor(values) == values)  # false for NaN
        if not whole.all():
            return values.astype("<f4")
    integers = values.astype("<i8")
    if integers.min() >= 0 and integers.max() <= 255:
        return integers.astype(np.uint8)
    return integers
