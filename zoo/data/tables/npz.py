"""An ``.npz`` file of arrays, under common names.

``images`` with ``labels``; or ``train_images`` with ``train_labels``, likewise with ``val_``,
``valid_``, ``validation_`` and ``test_``; or Keras' ``x_train`` with ``y_train``, ``x_val``,
``x_test``. Nothing is ever unpickled.
"""

from __future__ import annotations

import contextlib
import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.data.classes import numbered, unlabeled
from zoo.data.folders.formats import check_readable
from zoo.data.labels import as_labels
from zoo.data.names import local_name
from zoo.data.source import LeftOut, Source, StoredSplit
from zoo.data.splits import ALIASES
from zoo.data.tables.arrays import ArrayImages
from zoo.data.tables.unpacking import check_unpacked
from zoo.errors import UsageError, ZooError, first_line, nearest

if TYPE_CHECKING:
    from numpy.lib.npyio import NpzFile
    from numpy.typing import NDArray

_FAMILIES: tuple[Mapping[str, tuple[str, str]], ...] = (
    {"images": ("train", "labels")},
    {f"{word}_images": (split, f"{word}_labels") for word, split in ALIASES.items()},
    {f"x_{word}": (split, f"y_{word}") for word, split in ALIASES.items()},
)
"""Keys of images that belong together: the split of each and the key of its labels."""


@dataclass(frozen=True, eq=False)
class NpzImages(ArrayImages):
    """An array of an ``.npz``; worker processes read it from the file, not through a pipe."""

    path: Path = field(default_factory=Path)
    key: str = "images"

    def __reduce__(self) -> tuple[Any, ...]:
        return _read_again, (self.path.absolute(), self.key, self.name)


def open_npz(path: Path, column: str | None = None) -> Source:
    """Returns the images of a file, of the keys like ``column`` if it is set.

    Raises ZooError, naming file and key, for unusable arrays.
    """
    keys = _names(path)
    images: dict[str, NpzImages] = {}
    labels: dict[str, list[str | None]] = {}
    left_out: list[LeftOut] = []
    used: set[str] = set()
    for key, (split, label_key) in _keys(path, keys, column).items():
        if split in images:
            raise ZooError(
                f"{path} has two arrays of {split} images, {images[split].key!r} and {key!r}: "
                f"choose one with --set data.column={key}"
            )
        array = _check_images(_load(path, key), key, path)
        images[split] = NpzImages(array, f"{key!r} in {path}", path, key)
        used.add(key)
        if label_key in keys:
            used.add(label_key)
            try:
                labels[split] = _labels(path, label_key, len(array))
            except TypeError as error:
                left_out.append(LeftOut(f"the array {label_key!r}", str(error)))
    left_out += [
        LeftOut(f"the array {key!r}", "neither images nor labels by its name")
        for key in keys
        if key not in used
    ]
    columns, names = numbered(labels)
    columns = {split: unlabeled(len(array)) for split, array in images.items()} | columns
    splits = {split: StoredSplit(array, columns[split]) for split, array in images.items()}
    return Source(
        local_name(path), splits, names, kind="an .npz file", column=column, left_out=(*left_out,)
    )


def _keys(path: Path, keys: Sequence[str], column: str | None) -> dict[str, tuple[str, str]]:
    """Returns the keys of images that are in the file: the split of each, and that of its labels.

    With ``column``, those of its family; a key of no family is a single split.
    """
    families = [family for family in _FAMILIES if column is None or column in family]
    if column is not None and column not in keys:
        raise UsageError(
            f"data.column is {column!r}, which {path} does not have{nearest(column, keys)}"
        )
    if column is not None and not families:
        return {column: ("train", "labels")}
    known = {key: value for family in families for key, value in family.items() if key in keys}
    if not known:
        raise ZooError(
            f"{path} has no images under a known key, only {', '.join(keys) or 'nothing'}: use "
            "images, or train_images and test_images, or x_train and x_test; or choose one with "
            "--set data.column=KEY"
        )
    return known


def _names(path: Path) -> list[str]:
    check_readable(path)
    if not zipfile.is_zipfile(path):
        raise ZooError(f"{path} is not an .npz file: write it with numpy.savez_compressed")
    with _opened(path) as archive:
        return list(archive.files)


def _load(path: Path, key: str) -> NDArray[Any]:
    with _opened(path) as archive:
        assert archive.zip is not None
        _check_size(path, key, archive.zip)
        array: NDArray[Any] = archive[key]
        return array


def _check_size(path: Path, key: str, archive: zipfile.ZipFile) -> None:
    """Raises ZooError, before memory is taken, for an array that is not as large as its header
    says, and for one that unpacks to far more than images do."""
    from numpy.lib import format

    names = archive.namelist()
    entry = archive.getinfo(key if key in names else f"{key}.npy")
    with archive.open(entry) as file:
        version = format.read_magic(file)
        read = format.read_array_header_1_0 if version == (1, 0) else format.read_array_header_2_0
        shape, _, dtype = read(file)
        size = math.prod(shape) * dtype.itemsize
        if not dtype.hasobject and size != entry.file_size - file.tell():
            raise ZooError(
                f"{key!r} in {path} is damaged: its header says {list(shape)} {dtype}, "
                f"{size:,} bytes, and it has {entry.file_size - file.tell():,}"
            )
    check_unpacked(f"{key!r} in {path}", entry.compress_size, size)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[NpzFile]:
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as archive:
            yield archive
    except MemoryError:
        raise
    except Exception as error:  # zipfile, zlib and numpy have no common base
        raise ZooError(
            f"{path} cannot be read ({first_line(error)}): write plain arrays with "
            "numpy.savez_compressed"
        ) from error


def _read_again(path: Path, key: str, name: str) -> NpzImages:
    return NpzImages(_load(path, key), name, path, key)


def _check_images(array: NDArray[Any], key: str, path: Path) -> NDArray[Any]:
    shape = list(array.shape)
    if array.dtype.kind not in "biuf":
        raise ZooError(f"{key!r} in {path} is {array.dtype}: images must be numbers, such as uint8")
    if array.ndim == 4 and shape[3] > 4 and shape[1] in (1, 3):
        raise ZooError(
            f"{key!r} in {path} is {shape}: channels must be the last axis; save "
            "images.transpose(0, 2, 3, 1)"
        )
    if array.ndim not in (3, 4) or 0 in shape[1:] or shape[3:] > [4]:
        raise ZooError(f"{key!r} in {path} is {shape}: images must be [N, H, W] or [N, H, W, C]")
    return array


def _labels(path: Path, key: str, count: int) -> list[str | None]:
    """Returns the names of classes, None for none.

    Raises ZooError unless there are ``count``, and TypeError, with the reason, for labels that are
    not classes.
    """
    try:
        array = _load(path, key)
    except ZooError as error:
        if "pickle" not in str(error):
            raise
        raise TypeError("it is pickled, which is never read: save text with dtype str") from error
    if array.ndim == 0 or len(array) != count:
        raise ZooError(
            f"{key!r} in {path} is {list(array.shape)} for {count} images: labels must be [{count}]"
        )
    array = array.reshape(count) if array.size == count else array
    labels = as_labels(array.tolist())
    if labels is None:
        shape = list(array.shape)
        raise TypeError(f"{array.dtype} {shape} is neither one class an image nor one-hot")
    return labels
