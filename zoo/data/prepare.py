"""One picture brought to the shape that a network takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo.data.decode import Change, has_color, lay_on, plain
from zoo.errors import ZooError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from zoo.data.source import Picture

LARGEST_SIZE = 1024
LARGEST_PAD = 64
"""The bounds of data.size and data.pad, for advice that can be followed."""


@dataclass(frozen=True)
class Preparation:
    """Brings pictures of any size and mode to uint8 [channels, size, size].

    ``exact`` refuses every size but ``size``; else a smaller picture gets a black border of at
    most ``pad`` pixels a side, and a larger one its centre square, scaled. What is transparent is
    laid on ``ground``, 0 black or 255 white.
    """

    size: int
    channels: int
    pad: int = 0
    exact: bool = False
    ground: int = 255

    def __call__(self, picture: Picture, where: str) -> NDArray[np.uint8]:
        """The picture as uint8 [C, S, S]; ZooError, naming ``where``, if it cannot be."""
        return self.apply(picture, where)[0]

    def apply(self, picture: Picture, where: str) -> tuple[NDArray[np.uint8], Change]:
        """The picture as uint8 [C, S, S], and what was done to it."""
        import numpy as np

        image, change = plain(picture, where)
        if self.exact and image.size != (self.size, self.size):
            raise sizes_differ(where, image.size, self.size)
        if image.mode in ("LA", "RGBA"):
            image, change = lay_on(image, self.ground), change | Change.ALPHA
        image, colored = self._to_channels(image)
        image, fitted = self._fit(image, where)
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

    def _fit(self, image: Image, where: str) -> tuple[Image, Change]:
        from PIL import Image

        change = Change.NONE
        width, height = image.size
        across, down = max(self.size - width, 0), max(self.size - height, 0)
        if border := (max(across, down) + 1) // 2:
            if border > self.pad:
                raise _too_small(where, image.size, self.size, border)
            canvas = Image.new(image.mode, (width + across, height + down))
            canvas.paste(image, (across // 2, down // 2))
            image, change = canvas, change | Change.PADDED
            width, height = image.size
        side = min(width, height)
        if width != height:
            # Cropped before it is scaled: whole pixels, and less to scale.
            left, top = (width - side) // 2, (height - side) // 2
            image = image.crop((left, top, left + side, top + side))
            change |= Change.CROPPED
        if side != self.size:
            image = image.resize((self.size, self.size), Image.Resampling.LANCZOS)
            change |= Change.SCALED
        return image, change


def sizes_differ(where: str, size: tuple[int, int], others: int | None = None) -> ZooError:
    """For pictures that are not of one square size while data.size is unset."""
    width, height = size
    beside = f" where others are {others}x{others}" if others else ""
    advice = min(width, height, others or width, LARGEST_SIZE)
    return ZooError(
        f"{where} is {width}x{height} pixels{beside}, but without data.size all pictures must be "
        f"of one square size, 2 to {LARGEST_SIZE}: choose one, such as --set data.size={advice}"
    )


def _too_small(where: str, size: tuple[int, int], wanted: int, border: int) -> ZooError:
    width, height = size
    pad = f", or --set data.pad={border} for a black border" if border <= LARGEST_PAD else ""
    return ZooError(
        f"{where} is {width}x{height} pixels, smaller than data.size {wanted}: use "
        f"--set data.size={min(width, height)}{pad}"
    )
