"""Image files that a user lists one by one, prepared to a run's shape."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.data.decode import plain
from zoo.data.folder import ImageFiles, files_below
from zoo.data.survey import survey
from zoo.errors import UsageError, ZooError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from zoo.config.sections import DataConfig


def find_images(paths: Sequence[Path]) -> ImageFiles:
    """Returns the files in ``paths`` in order, each folder replaced by the files below it, sorted.

    Raises UsageError for a path that does not exist, and ZooError for a folder without files.
    """
    files: list[str] = []
    for path in paths:
        if path.is_dir():
            below = files_below(path)
            if not below:
                raise ZooError(f"the folder {path} has no images: add some, or name another folder")
            files += (str(path / file) for file in below)
        elif path.exists():
            files.append(str(path))
        else:
            raise UsageError(f"there is no file or folder {path}")
    return ImageFiles(Path(), tuple(files))


def read_images(images: ImageFiles, config: DataConfig) -> NDArray[np.uint8]:
    """Returns images as uint8 ``[N, channels, size, size]``, prepared like training data.

    ``config`` must set size and channels. Raises ZooError, naming the file, for a file that is not
    an image and for an image smaller than ``size`` even with a border of ``config.pad`` pixels.
    """
    import numpy as np

    assert config.size is not None
    assert config.channels is not None
    prepare = survey(config, images).preparation
    prepared = []
    for index in range(len(images)):
        location = images.location(index)
        image, _ = plain(images.open(index), location)
        width, height = image.size
        if min(width, height) + 2 * config.pad < config.size:
            raise ZooError(
                f"{location} is {width}x{height} pixels and the run's images are "
                f"{config.size}x{config.size}: use larger ones"
            )
        prepared.append(prepare(image, location))
    return np.stack(prepared)
