"""Pictures that a user names one by one: files and folders of them, brought to a run's shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.data.decode import plain
from zoo.data.folder import FolderPictures
from zoo.data.survey import survey
from zoo.data.walk import files_below
from zoo.errors import UsageError, ZooError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from zoo.config.sections import DataConfig


@dataclass(frozen=True)
class GivenPictures:
    """Files in the order in which they were named."""

    files: tuple[FolderPictures, ...]

    def __len__(self) -> int:
        return len(self.files)

    def open(self, index: int) -> Image:
        return self.files[index].open(0)

    def where(self, index: int) -> str:
        return self.files[index].where(0)

    def first(self, count: int) -> GivenPictures:
        return GivenPictures(self.files[:count])


def find_pictures(paths: Sequence[Path]) -> GivenPictures:
    """The files among ``paths`` and those below the folders among them, sorted, in order.

    Raises UsageError for a path where nothing stands, and ZooError for a folder without a file.
    """
    found: list[FolderPictures] = []
    for path in paths:
        if path.is_dir():
            files = files_below(path)
            if not files:
                raise ZooError(f"the folder {path} has no picture: put some in it, or name another")
            found += [FolderPictures(path, (file,)) for file in files]
        elif path.exists():
            found.append(FolderPictures(path.parent, (path.name,)))
        else:
            raise UsageError(f"there is no file or folder {path}")
    return GivenPictures(tuple(found))


def read_pictures(pictures: GivenPictures, config: DataConfig) -> NDArray[np.uint8]:
    """``pictures`` as uint8 ``[N, channels, size, size]``, prepared as training data are.

    ``config`` must say size and channels. Raises ZooError, naming the file, for what is no picture
    and for one that is smaller than ``size`` by more than the border of ``config.pad`` pixels.
    """
    import numpy as np

    assert config.size is not None
    assert config.channels is not None
    prepare = survey(config, pictures).preparation
    made = []
    for index in range(len(pictures)):
        where = pictures.where(index)
        image, _ = plain(pictures.open(index), where)
        width, height = image.size
        if min(width, height) + 2 * config.pad < config.size:
            raise ZooError(
                f"{where} is {width}x{height} pixels and the run's pictures are "
                f"{config.size}x{config.size}: name larger ones"
            )
        made.append(prepare(image, where))
    return np.stack(made)
