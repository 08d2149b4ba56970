"""Stored images in one array in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class ArrayImages:
    """``images`` [N, H, W] or [N, H, W, C]; ``name`` is that of the array in messages."""

    images: NDArray[Any]
    name: str

    def __len__(self) -> int:
        return len(self.images)

    def open(self, index: int) -> NDArray[Any]:
        return self.images[index]

    def location(self, index: int) -> str:
        return f"image {index} of {self.name}"
