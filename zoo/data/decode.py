"""Pictures of any format and mode, read with Pillow and made plain.

Plain is upright, 8 bits, and one of the modes L, LA, RGB and RGBA, with an alpha channel only
where something is transparent.
"""

from __future__ import annotations

import enum
import io
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import ZooError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from zoo.data.source import Picture

_ORIENTATION = 0x0112  # the EXIF tag
_ARRAY_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


class Change(enum.Flag):
    """What was done to a picture, for the notes."""

    NONE = 0
    TURNED = enum.auto()
    DEPTH = enum.auto()
    SPACE = enum.auto()
    ALPHA = enum.auto()
    GRAYED = enum.auto()
    REPEATED = enum.auto()
    PADDED = enum.auto()
    SCALED = enum.auto()
    CROPPED = enum.auto()


def open_picture(data: bytes, where: str) -> Image:
    """The picture in ``data``, decoded; of several frames, the first.

    Raises ZooError, naming ``where``, if Pillow cannot read it, truncated files included.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(io.BytesIO(data))
        image.load()
    except UnidentifiedImageError as error:
        raise _no_picture(where) from error
    except MemoryError:
        raise
    except Exception as error:  # decoders raise what they like: SyntaxError, struct.error, ...
        raise _broken(where, error) from error
    return image


def check_picture(path: Path) -> None:
    """Raise ZooError, naming ``path``, if Pillow does not take its beginning for a picture's."""
    from PIL import Image

    try:
        with Image.open(path):
            pass
    except MemoryError:
        raise
    except Exception as error:
        raise _no_picture(str(path)) from error


def plain(picture: Picture, where: str) -> tuple[Image, Change]:
    """The picture upright, in 8 bits, in mode L, LA, RGB or RGBA, and what was done for that.

    ``picture`` is a Pillow image, or a uint8 array [H, W] or [H, W, C] of 1 to 4 channels. Raises
    ZooError, naming ``where``, for a picture that is broken or whose range of values is unknown.
    """
    from PIL import Image

    image = picture if isinstance(picture, Image.Image) else _from_array(picture, where)
    try:
        image.load()
        image, turned = _upright(image)
        image, converted = _eight_bits(image, where)
        return _without_idle_alpha(image), turned | converted
    except (ZooError, MemoryError):
        raise
    except Exception as error:
        raise _broken(where, error) from error


def has_color(image: Image) -> bool:
    """Whether a plain picture has a visible pixel that is not grey."""
    import numpy as np

    if image.mode not in ("RGB", "RGBA"):
        return False
    pixels = np.asarray(image)
    colored = (pixels[..., 0] != pixels[..., 1]) | (pixels[..., 1] != pixels[..., 2])
    if image.mode == "RGBA":
        colored &= pixels[..., 3] > 0
    return bool(colored.any())


def lay_on(image: Image, ground: int) -> Image:
    """A plain picture without its alpha channel, on black (0) or white (255)."""
    from PIL import Image

    if image.mode not in ("LA", "RGBA"):
        return image
    mode = image.mode[:-1]
    paper = Image.new(mode, image.size, ground if mode == "L" else (ground,) * 3)
    paper.paste(image.convert(mode), mask=image.getchannel("A"))
    return paper


def _upright(image: Image) -> tuple[Image, Change]:
    from PIL import ImageOps

    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # a picture with a broken EXIF block is still a picture
        return image, Change.NONE
    if orientation not in range(2, 9):
        return image, Change.NONE
    return ImageOps.exif_transpose(image), Change.TURNED


def _eight_bits(image: Image, where: str) -> tuple[Image, Change]:
    from PIL import Image

    mode = image.mode
    if mode == "I" or mode.startswith("I;16"):
        import numpy as np

        # Mode I holds what formats store as 16 bits in numbers of 32.
        values = np.asarray(image).astype(np.int64).clip(0, 65535)
        eight = ((values * 255 + 32767) // 65535).astype(np.uint8)
        return Image.fromarray(eight, "L"), Change.DEPTH
    if mode == "F":
        raise ZooError(
            f"{where} has pixels in floating point, whose range is not known: save it with 8 bits"
        )
    if mode in ("La", "RGBa"):
        return image.convert(mode.upper()), Change.NONE
    if image.has_transparency_data:
        return image.convert("LA" if mode in ("1", "L", "LA") else "RGBA"), Change.NONE
    if mode in ("1", "L"):
        return image.convert("L"), Change.NONE
    if mode in ("RGB", "RGBX", "P"):
        return image.convert("RGB"), Change.NONE
    return image.convert("RGB"), Change.SPACE


def _without_idle_alpha(image: Image) -> Image:
    if image.mode in ("LA", "RGBA") and image.getchannel("A").getextrema() == (255, 255):
        return image.convert(image.mode[:-1])
    return image


def _from_array(array: NDArray[np.uint8], where: str) -> Image:
    import numpy as np
    from PIL import Image

    if array.dtype != np.uint8 or array.ndim not in (2, 3) or 0 in array.shape:
        raise ZooError(
            f"{where} is {array.dtype} {list(array.shape)}: give uint8 [H, W] or [H, W, C]"
        )
    channels = array.shape[2] if array.ndim == 3 else 1
    if channels not in _ARRAY_MODES:
        raise ZooError(f"{where} has {channels} channels: give 1 to 4, the last axis")
    if channels == 1:
        array = array.reshape(array.shape[:2])
    return Image.fromarray(np.ascontiguousarray(array), _ARRAY_MODES[channels])


def _no_picture(where: str) -> ZooError:
    return ZooError(f"{where} is no picture that Pillow can read: mend it or take it out")


def _broken(where: str, error: Exception) -> ZooError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return ZooError(f"{where} cannot be decoded ({reason}): mend the picture or take it out")
