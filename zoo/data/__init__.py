"""Images for training and evaluation: sources, splits, preparation and batches.

:func:`open_data` takes a :class:`zoo.DataConfig` and returns a :class:`Dataset`;
:mod:`zoo.data.batches` makes batches of its splits. Importing this package loads neither numpy,
torch, Pillow nor datasets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from zoo.data.dataset import Dataset, ResidentSplit, Split, StreamedSplit
from zoo.data.splits import SPLITS

if TYPE_CHECKING:
    from zoo.config.sections import DataConfig

__all__ = ["SPLITS", "Dataset", "ResidentSplit", "Split", "StreamedSplit", "open_data"]


def open_data(
    config: DataConfig,
    progress: Callable[[int, int], None] | None = None,
    *,
    seed: int = 0,
    class_names: Sequence[str] | None = None,
    splits: Sequence[str] = SPLITS,
    ids: bool = False,
) -> Dataset:
    """Returns the images that ``config`` describes, of one size and number of channels.

    ``seed`` determines the splits that the data do not bring (:mod:`zoo.data.division`). With
    ``class_names``, those of a run, labels are matched to them by name, and images of other classes
    have no label; without, the classes are those of the training split.

    A dataset of at most ``config.resident_gib`` GiB, all splits together, is decoded now, with
    calls of ``progress(done, total)``; a larger one is decoded while it is read, and once before
    where a split has to be taken from its training images.

    ``splits`` are those that the caller needs: others are not in the dataset, and their images are
    not decoded. With ``ids``, ``Dataset.ids`` has the hash of each image of these splits, in the
    order of the images: the hash of its stored pixels, the same in every container and for every
    seed. All their images are decoded for it.

    Raises :class:`zoo.errors.UsageError` for a source that is not a path, a known name or a dataset
    on the Hub, and :class:`zoo.errors.ZooError`, naming the file or row, for an image that cannot
    be used.
    """
    from zoo.data.find import find_source
    from zoo.data.opening import prepare_dataset

    return prepare_dataset(find_source(config), config, progress, seed, class_names, splits, ids)
