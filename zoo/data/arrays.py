"""Stored images in one array in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class ArrayImages:
    """``images`` uint8 [N, H, W] or [N, H, W, C]; ``name`` is that of the array in messages."""

    images: NDArray[np.uint8]
    name: str

    def __len__(self) -> int:
        return len(self.images)

    def open(self, index: int) -> NDArray[np.uint8]:
        return self.images[index]

    def location(self, index: int) -> str:
        return f"image {index} of {self.name}"
