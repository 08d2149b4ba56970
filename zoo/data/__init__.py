"""Images for training and evaluation: sources, splits, preparation and batches.

:func:`open_data` takes a :class:`zoo.DataConfig` and returns a :class:`Dataset`;
:mod:`zoo.data.batches` makes training batches of its splits. Importing this package is cheap:
numpy, Pillow, torch and datasets are loaded when something is opened.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from zoo.data.dataset import Dataset, ResidentSplit, Split, StreamedSplit

if TYPE_CHECKING:
    from zoo.config.sections import DataConfig

__all__ = ["Dataset", "ResidentSplit", "Split", "StreamedSplit", "open_data"]


def open_data(config: DataConfig, progress: Callable[[int, int], None] | None = None) -> Dataset:
    """The pictures that ``config`` describes, brought to one size and number of channels.

    Sets of at most ``config.resident_gib`` GiB, all splits together, are decoded here and now, and
    ``progress(done, total)`` is called as that goes on; larger ones are decoded as they are read.

    Raises :class:`zoo.errors.UsageError` for a source that is neither a path, nor a name, nor a
    Hub data set, and :class:`zoo.errors.ZooError` for pictures that cannot be used; the message is
    one sentence that names the file or row and says what to do.
    """
    from zoo.data.find import find
    from zoo.data.opening import prepared

    return prepared(find(config.source), config, progress)
