"""Image files that a user lists one by one, prepared to a run's shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.data.folders.folder import ImageFiles
from zoo.data.folders.listing import list_files
from zoo.data.preparation.decode import FORMATS, plain
from zoo.data.preparation.survey import survey
from zoo.data.source import LeftOut
from zoo.errors import UsageError, ZooError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from zoo.config.sections import DataConfig
    from zoo.data.source import StoredImages


def find_images(paths: Sequence[Path]) -> tuple[ImageFiles, tuple[LeftOut, ...]]:
    """Returns the files in ``paths`` in order, each folder replaced by the files below it, sorted,
    and what is left out of folders.

    Raises UsageError for a path that does not exist, and ZooError for a folder without files.
    """
    files: list[str] = []
    left_out: list[LeftOut] = []
    for path in paths:
        if path.is_dir():
            listing = list_files(path)
            if not listing.files:
                raise ZooError(f"the folder {path} has no images: add some, or name another folder")
            files += (str(path / file) for file in listing.files)
            left_out += listing.left_out
        elif path.exists():
            files.append(str(path))
        else:
            raise UsageError(f"there is no file or folder {path}")
    return ImageFiles(Path(), tuple(files)), tuple(left_out)


def read_images(images: StoredImages, config: DataConfig) -> NDArray[np.uint8]:
    """Returns images as uint8 ``[N, channels, size, size]``, prepared like training data.

    ``config`` must set size and channels. Raises ZooError, naming the file, for a file that is not
    an image and for an image smaller than ``size`` even with a border of ``config.pad`` pixels.
    """
    import numpy as np

    assert config.size is not None
    assert config.channels is not None
    # A single dark image is no evidence of another range.
    prepare = survey(config, images, strict=False).preparation
    fit = replace(prepare, ranges=FORMATS)
    prepared = []
    for index in range(len(images)):
        location = images.location(index)
        image, _ = plain(images.open(index), location, prepare.ranges)
        width, height = image.size
        if min(width, height) + 2 * config.pad < config.size:
            raise ZooError(
                f"{location} is {width}x{height} pixels and the run's images are "
                f"{config.size}x{config.size}: use larger ones"
            )
        prepared.append(fit(image, location))
    return np.stack(prepared)
