"""Decoding with Pillow: images of any format and mode as plain images.

A plain image is upright, of 8 bits, in mode L, LA, RGB or RGBA; it has an alpha channel only if
some pixel is transparent.
"""

from __future__ import annotations

import enum
import io
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import ZooError, first_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from zoo.data.source import StoredImage

_ORIENTATION = 0x0112  # the EXIF tag
_ARRAY_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


class Change(enum.Flag):
    """Changes made to an image, for the notes of a dataset."""

    NONE = 0
    ROTATED = enum.auto()
    DEPTH = enum.auto()
    COLOR_SPACE = enum.auto()
    ALPHA = enum.auto()
    GRAYED = enum.auto()
    REPEATED = enum.auto()
    PADDED = enum.auto()
    SCALED = enum.auto()
    CROPPED = enum.auto()


def decode_image(data: bytes, location: str) -> Image:
    """Returns the image in ``data``, the first frame of an animation.

    Raises ZooError, naming ``location``, if Pillow cannot read it or the file is truncated.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(io.BytesIO(data))
        image.load()
    except UnidentifiedImageError as error:
        raise _not_an_image(location) from error
    except MemoryError:
        raise
    except Exception as error:  # decoders also raise SyntaxError, struct.error, ...
        raise _broken(location, error) from error
    return image


def check_header(path: Path) -> None:
    """Raises ZooError if Pillow does not recognize the file by its header."""
    from PIL import Image

    try:
        with Image.open(path):
            pass
    except MemoryError:
        raise
    except Exception as error:
        raise _not_an_image(str(path)) from error


def plain(stored: StoredImage, location: str) -> tuple[Image, Change]:
    """Returns a plain image and the changes made.

    Raises ZooError, naming ``location``, for an image that is broken, has more than 4 channels, or
    whose range of values is unknown.
    """
    from PIL import Image

    image = stored if isinstance(stored, Image.Image) else _from_array(stored, location)
    try:
        image.load()
        image, rotated = _upright(image)
        image, converted = _eight_bits(image, location)
        return _without_opaque_alpha(image), rotated | converted
    except (ZooError, MemoryError):
        raise
    except Exception as error:
        raise _broken(location, error) from error


def has_color(image: Image) -> bool:
    """Whether a plain image has a visible pixel that is not gray."""
    import numpy as np

    if image.mode not in ("RGB", "RGBA"):
        return False
    pixels = np.asarray(image)
    colored = (pixels[..., 0] != pixels[..., 1]) | (pixels[..., 1] != pixels[..., 2])
    if image.mode == "RGBA":
        colored &= pixels[..., 3] > 0
    return bool(colored.any())


def flatten_alpha(image: Image, background: int) -> Image:
    """Returns a plain image without alpha channel, composited on black (0) or white (255)."""
    from PIL import Image

    if image.mode not in ("LA", "RGBA"):
        return image
    mode = image.mode[:-1]
    canvas = Image.new(mode, image.size, background if mode == "L" else (background,) * 3)
    canvas.paste(image.convert(mode), mask=image.getchannel("A"))
    return canvas


def _upright(image: Image) -> tuple[Image, Change]:
    from PIL import ImageOps

    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # the EXIF block is broken, the image is not
        return image, Change.NONE
    if orientation not in range(2, 9):
        return image, Change.NONE
    return ImageOps.exif_transpose(image), Change.ROTATED


def _eight_bits(image: Image, location: str) -> tuple[Image, Change]:
    from PIL import Image

    mode = image.mode
    if mode == "I" or mode.startswith("I;16"):
        import numpy as np

        # Pillow decodes 16-bit formats to mode I, which has 32 bits.
        values = np.asarray(image).astype(np.int64).clip(0, 65535)
        eight = ((values * 255 + 32767) // 65535).astype(np.uint8)
        return Image.fromarray(eight, "L"), Change.DEPTH
    if mode == "F":
        raise ZooError(
            f"{location} has floating-point pixels, whose range is unknown: save it with 8 bits"
        )
    if mode in ("La", "RGBa"):
        return image.convert(mode.upper()), Change.NONE
    if image.has_transparency_data:
        return image.convert("LA" if mode in ("1", "L", "LA") else "RGBA"), Change.NONE
    if mode in ("1", "L"):
        return image.convert("L"), Change.NONE
    if mode in ("RGB", "RGBX", "P"):
        return image.convert("RGB"), Change.NONE
    return image.convert("RGB"), Change.COLOR_SPACE


def _without_opaque_alpha(image: Image) -> Image:
    if image.mode in ("LA", "RGBA") and image.getchannel("A").getextrema() == (255, 255):
        return image.convert(image.mode[:-1])
    return image


def _from_array(array: NDArray[np.uint8], location: str) -> Image:
    import numpy as np
    from PIL import Image

    if array.dtype != np.uint8 or array.ndim not in (2, 3) or 0 in array.shape:
        raise ZooError(
            f"{location} is {array.dtype} {list(array.shape)}: use uint8 [H, W] or [H, W, C]"
        )
    channels = array.shape[2] if array.ndim == 3 else 1
    if channels not in _ARRAY_MODES:
        raise ZooError(f"{location} has {channels} channels: the last axis must have 1 to 4")
    if channels == 1:
        array = array.reshape(array.shape[:2])
    return Image.fromarray(np.ascontiguousarray(array), _ARRAY_MODES[channels])


def _not_an_image(location: str) -> ZooError:
    return ZooError(f"{location} is not an image that Pillow can read: repair or remove it")


def _broken(location: str, error: Exception) -> ZooError:
    return ZooError(f"{location} cannot be decoded ({first_line(error)}): repair or remove it")
