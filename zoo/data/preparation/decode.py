"""Decoding with Pillow: images of any format and mode as plain images.

A plain image is upright, of 8 bits, in mode L, LA, RGB or RGBA; it has an alpha channel only if
some pixel is transparent.
"""

from __future__ import annotations

import enum
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.data.preparation.ranges import BYTES, UNIT, Kind, Ranges, kind_of
from zoo.errors import ZooError, first_line

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from zoo.data.source import StoredImage

MAX_BYTES = 2**28
"""Maximum bytes of an image file."""

MAX_PIXELS = 2**26
"""Maximum pixels of an image: each takes up to ten bytes while it is prepared."""

_ORIENTATION = 0x0112  # the EXIF tag
FORMATS = Ranges()
_ARRAY_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}

_COMPOSITES = ("MPO", "PSD")
"""Formats whose first frame is the whole image: photos of phones, and layers."""


class Change(enum.Flag):
    """Changes made to an image, for the notes of a dataset."""

    NONE = 0
    FIRST_FRAME = enum.auto()
    ROTATED = enum.auto()
    DEPTH = enum.auto()
    COLOR_SPACE = enum.auto()
    ALPHA = enum.auto()
    GRAYED = enum.auto()
    REPEATED = enum.auto()
    PADDED = enum.auto()
    SCALED = enum.auto()
    RANGE = enum.auto()
    CLIPPED = enum.auto()
    CROPPED = enum.auto()


def decode_image(data: bytes, location: str) -> Image:
    """Returns the image in ``data``, the first frame of an animation.

    Raises ZooError, naming ``location``, if Pillow cannot read it, if the file is truncated, and
    for more than MAX_PIXELS.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(io.BytesIO(data))
        if image.width * image.height > MAX_PIXELS:
            raise ZooError(
                f"{location} has {image.width}x{image.height} pixels, more than {MAX_PIXELS:,}: "
                "scale it down or remove it"
            )
        image.load()
    except ZooError:
        raise
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


def plain(stored: StoredImage, location: str, ranges: Ranges = FORMATS) -> tuple[Image, Change]:
    """Returns a plain image and the changes made.

    Raises ZooError, naming ``location``, for an image that is broken, has more than 4 channels, or
    whose values are not in ``ranges``.
    """
    from PIL import Image

    try:
        if isinstance(stored, Image.Image):
            stored.load()
            image, rotated = _upright(stored)
            if stored.format not in _COMPOSITES and getattr(stored, "is_animated", False):
                rotated |= Change.FIRST_FRAME
            image, converted = _eight_bits(image, location, ranges)
        else:
            rotated = Change.NONE
            image, converted = _from_array(stored, location, ranges)
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


def _eight_bits(image: Image, location: str, ranges: Ranges) -> tuple[Image, Change]:
    kind = kind_of(image)
    if kind in (Kind.INTEGERS, Kind.FLOATS):
        import numpy as np

        return _from_array(np.asarray(image), location, ranges)
    converted, change = _to_plain_mode(image)
    if kind is Kind.BYTES and ranges.bytes != BYTES:
        return _stretched(converted, location, ranges, change)
    return converted, change


def _to_plain_mode(image: Image) -> tuple[Image, Change]:
    mode = image.mode
    if mode in ("La", "RGBa"):
        return image.convert(mode.upper()), Change.NONE
    if image.has_transparency_data:
        return image.convert("LA" if mode in ("1", "L", "LA") else "RGBA"), Change.NONE
    if mode in ("1", "L"):
        return image.convert("L"), Change.NONE
    if mode in ("RGB", "RGBX", "P"):
        return image.convert("RGB"), Change.NONE
    return image.convert("RGB"), Change.COLOR_SPACE


def _stretched(image: Image, location: str, ranges: Ranges, change: Change) -> tuple[Image, Change]:
    """Returns a plain image whose colors, but not alpha, go from black to white of ``ranges``."""
    import numpy as np

    scaled, _ = ranges.scale(np.arange(256, dtype=np.uint8), location)
    tables = [scaled.tolist() if band != "A" else list(range(256)) for band in image.getbands()]
    colors = np.asarray(image.convert("L" if image.mode in ("L", "LA") else "RGB"))
    if colors.min() < min(ranges.bytes) or colors.max() > max(ranges.bytes):
        change |= Change.CLIPPED
    return image.point([level for table in tables for level in table]), change | Change.RANGE


def _without_opaque_alpha(image: Image) -> Image:
    if image.mode in ("LA", "RGBA") and image.getchannel("A").getextrema() == (255, 255):
        return image.convert(image.mode[:-1])
    return image


def _from_array(array: NDArray[Any], location: str, ranges: Ranges) -> tuple[Image, Change]:
    import numpy as np
    from PIL import Image

    if array.ndim not in (2, 3) or 0 in array.shape:
        raise ZooError(f"{location} is {list(array.shape)}: images must be [H, W] or [H, W, C]")
    channels = array.shape[2] if array.ndim == 3 else 1
    if channels not in _ARRAY_MODES:
        raise ZooError(f"{location} has {channels} channels: the last axis must have 1 to 4")
    if channels == 1:
        array = array.reshape(array.shape[:2])
    kind, change, clipped = kind_of(array), Change.NONE, False
    if kind is not Kind.BYTES:
        array, clipped = ranges.scale(array, location)
        change = Change.NONE if ranges.of(kind) in (BYTES, UNIT) else Change.DEPTH
    image = Image.fromarray(np.ascontiguousarray(array), _ARRAY_MODES[channels])
    if kind is Kind.BYTES and ranges.bytes != BYTES:
        return _stretched(image, location, ranges, change)
    return image, change | Change.CLIPPED if clipped else change


def _not_an_image(location: str) -> ZooError:
    return ZooError(f"{location} is not an image that Pillow can read: repair or remove it")


def _broken(location: str, error: Exception) -> ZooError:
    return ZooError(f"{location} cannot be decoded ({first_line(error)}): repair or remove it")
