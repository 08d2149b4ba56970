"""The background of transparent images, and whether a channel is transparency at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.errors import ZooError

if TYPE_CHECKING:
    from PIL.Image import Image

    from zoo.data.source import StoredImage

_BRIGHT = 192
"""Visible parts that are brighter on average would vanish on white, and are laid on black."""


class Transparency:
    """The transparency of the images of a survey."""

    def __init__(self, background: str | None) -> None:
        self._stated = background
        self._light = self._weight = 0.0
        self._channels, self._pixels, self._opaque, self._extreme = 0, 0, 0, 0
        self._location = ""
        self.transparent = False

    def add(self, stored: StoredImage, image: Image, location: str) -> None:
        """Adds an image as stored, and as a plain image."""
        import numpy as np

        if isinstance(stored, np.ndarray) and stored.ndim == 3 and stored.shape[2] in (2, 4):
            self._channels, self._location = stored.shape[2], self._location or location
            alpha = np.asarray(image.getchannel("A")) if "A" in image.getbands() else None
            pixels = image.size[0] * image.size[1]
            opaque = pixels if alpha is None else int((alpha == 255).sum())
            self._pixels += pixels
            self._opaque += opaque
            self._extreme += opaque + (0 if alpha is None else int((alpha == 0).sum()))
        if image.mode in ("LA", "RGBA"):
            self.transparent = True
            weights = np.asarray(image.getchannel("A"), dtype=np.float64)
            self._light += float((np.asarray(image.convert("L")) * weights).sum())
            self._weight += float(weights.sum())

    @property
    def background(self) -> int:
        """The background of transparent images: 0 black, 255 white."""
        if self._stated is not None:
            return {"black": 0, "white": 255}[self._stated]
        return 0 if self._weight and self._light / self._weight > _BRIGHT else 255

    def check(self) -> None:
        """Raises ZooError for arrays whose last channel need not be transparency."""
        if self._stated is not None or not self._channels:
            return
        likely = 8 * self._opaque >= self._pixels and 2 * self._extreme >= self._pixels
        if self._channels == 2 or not likely:
            kinds = {2: "gray with transparency, or two bands", 4: "RGBA, CMYK, or four bands"}
            raise ZooError(
                f"{self._location} has {self._channels} channels, {kinds[self._channels]}: set "
                "data.background if the last is transparency, else save 1 or 3 channels"
            )
