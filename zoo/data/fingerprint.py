"""Fingerprints of training data: whether a resumed run has the images it was started on."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from zoo.data.dataset import ResidentSplit
from zoo.data.spread import spread

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from zoo.data.dataset import Split

SAMPLED = 256
"""Images of a streamed split that are hashed; decoding all of them would take another epoch."""


def fingerprint(split: Split, labels: bool, sampled: int | None = None) -> Mapping[str, Any]:
    """Returns ``images``, the number of images; ``sampled``, the number of them that are hashed;
    and ``sha256`` of these as prepared, in any order, with ``labels`` with the label of each.

    All images in memory are hashed, of a streamed split :data:`SAMPLED`, evenly spaced, unless
    ``sampled`` says how many.
    """
    count = len(split)
    if sampled is None:
        sampled = count if isinstance(split, ResidentSplit) else SAMPLED
    indices = spread(count, sampled).tolist()
    digests = sorted(_digest(*split[index], labels) for index in indices)
    digest = hashlib.sha256(b"".join(digests)).hexdigest()
    return {"images": count, "sampled": len(indices), "sha256": digest}


def _digest(image: NDArray[np.uint8], label: int, labeled: bool) -> bytes:
    data = image.tobytes() + (b"%d" % label if labeled else b"")
    return hashlib.sha256(data).digest()
