"""Preparation of an image to the shape of a network's input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo.data.preparation.decode import FORMATS, Change, flatten_alpha, has_color, plain
from zoo.errors import ZooError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from zoo.data.preparation.ranges import Ranges
    from zoo.data.source import StoredImage

MAX_SIZE = 1024
MAX_PAD = 64
"""The bounds of data.size and data.pad, so that no message suggests values beyond them."""


class SizesDiffer(ZooError):
    """Images of several sizes, or not square, while data.size is unset; ``channels`` are those of
    the image at ``location``, ``size`` is one that fits."""

    def __init__(self, location: str, image: Image, others: int | None = None) -> None:
        width, height = image.size
        contrast = f" and others are {others}x{others}" if others else ""
        self.channels = 3 if has_color(image) else 1
        self.size = min(width, height, others or width, MAX_SIZE)
        super().__init__(
            f"{location} is {width}x{height} pixels{contrast}: images must have one square size, 2 "
            f"to {MAX_SIZE}; choose it, for example with --set data.size={self.size}"
        )


@dataclass(frozen=True)
class Preparation:
    """Converts images of any size and mode to uint8 [channels, size, size].

    With ``exact``, any size but ``size`` is an error; otherwise a smaller image gets a black border
    of at most ``pad`` pixels a side, and a larger one is cropped to its center square and scaled.
    Transparent parts are laid on ``background``, 0 black or 255 white. ``ranges`` are the stored
    values of black and white.
    """

    size: int
    channels: int
    pad: int = 0
    exact: bool = False
    background: int = 255
    ranges: Ranges = FORMATS

    def __call__(self, stored: StoredImage, location: str) -> NDArray[np.uint8]:
        """Returns the image as uint8 [C, S, S]; raises ZooError, naming ``location``."""
        return self.apply(stored, location)[0]

    def apply(self, stored: StoredImage, location: str) -> tuple[NDArray[np.uint8], Change]:
        """Returns the image as uint8 [C, S, S], and its changes."""
        import numpy as np

        image, change = plain(stored, location, self.ranges)
        if self.exact and image.size != (self.size, self.size):
            raise SizesDiffer(location, image, self.size)
        if image.mode in ("LA", "RGBA"):
            image, change = flatten_alpha(image, self.background), change | Change.ALPHA
        image, colored = self._to_channels(image)
        image, fitted = self._fit(image, location)
        pixels = np.asarray(image)
        pixels = pixels[None] if self.channels == 1 else pixels.transpose(2, 0, 1)
        return np.ascontiguousarray(pixels), change | colored | fitted

    def _to_channels(self, image: Image) -> tuple[Image, Change]:
        if self.channels == 1 and image.mode == "RGB":
            change = Change.GRAYED if has_color(image) else Change.NONE
            return image.convert("L"), change
        if self.channels == 3 and image.mode == "L":
            return image.convert("RGB"), Change.REPEATED
        return image, Change.NONE

    def _fit(self, image: Image, location: str) -> tuple[Image, Change]:
        from PIL import Image

        change = Change.NONE
        width, height = image.size
        across, down = max(self.size - width, 0), max(self.size - height, 0)
        if border := (max(across, down) + 1) // 2:
            if border > self.pad:
                raise _too_small(location, image.size, self.size, border)
            canvas = Image.new(image.mode, (width + across, height + down))
            canvas.paste(image, (across // 2, down // 2))
            image, change = canvas, change | Change.PADDED
            width, height = image.size
        side = min(width, height)
        if width != height:
            # Crop before scaling: no fraction of a pixel is lost, and less is scaled.
            left, top = (width - side) // 2, (height - side) // 2
            image = image.crop((left, top, left + side, top + side))
            change |= Change.CROPPED
        if side != self.size:
            image = image.resize((self.size, self.size), Image.Resampling.LANCZOS)
            change |= Change.SCALED
        return image, change


def _too_small(location: str, size: tuple[int, int], wanted: int, border: int) -> ZooError:
    width, height = size
    pad = f", or --set data.pad={border} for a black border" if border <= MAX_PAD else ""
    return ZooError(
        f"{location} is {width}x{height} pixels, smaller than data.size {wanted}: use "
        f"--set data.size={min(width, height)}{pad}"
    )
