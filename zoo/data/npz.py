"""An ``.npz`` file of arrays, under common names.

``images`` with ``labels``; or ``train_images`` with ``train_labels``, likewise with ``val_``,
``valid_``, ``validation_`` and ``test_``; or Keras' ``x_train`` with ``y_train``, ``x_val``,
``x_test``. Nothing is ever unpickled.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.data.arrays import ArrayImages
from zoo.data.classes import numbered, unlabeled
from zoo.data.names import local_name
from zoo.data.source import Source, StoredSplit
from zoo.data.splits import ALIASES
from zoo.errors import ZooError, first_line

if TYPE_CHECKING:
    from numpy.typing import NDArray

_KEYS = {
    "images": ("train", "labels"),
    **{f"{word}_images": (split, f"{word}_labels") for word, split in ALIASES.items()},
    **{f"x_{word}": (split, f"y_{word}") for word, split in ALIASES.items()},
}
"""A key of images: its split and the key of the labels."""

_READ = frozenset(_KEYS) | {label for _, label in _KEYS.values()}


@dataclass(frozen=True, eq=False)
class NpzImages(ArrayImages):
    """An array of an ``.npz``; worker processes read it from the file, not through a pipe."""

    path: Path = field(default_factory=Path)
    key: str = "images"

    def __reduce__(self) -> tuple[Any, ...]:
        return _read_again, (self.path.absolute(), self.key, self.name)


def open_npz(path: Path, column: str | None = None) -> Source:
    """Returns the images of a file; raises ZooError, naming file and key, for unusable arrays."""
    arrays = _load(path)
    images: dict[str, NpzImages] = {}
    labels: dict[str, list[object]] = {}
    for key, (split, label_key) in _KEYS.items():
        if key not in arrays:
            continue
        if split in images:
            raise ZooError(f"{path} has two arrays of {split} images, {key!r} is one: keep one")
        array = _check_images(arrays[key], key, path)
        images[split] = NpzImages(array, f"{key!r} in {path}", path, key)
        if label_key in arrays:
            labels[split] = _label_list(arrays[label_key], label_key, len(array), path)
    if not images:
        raise ZooError(
            f"{path} has no images under a known key, only {', '.join(arrays) or 'nothing'}: "
            "use images, or train_images and test_images, or x_train and x_test"
        )
    try:
        columns, names = numbered(labels)
    except TypeError as error:
        raise ZooError(f"{path} has {error}: labels must be integers or words") from error
    columns = {split: unlabeled(len(array)) for split, array in images.items()} | columns
    splits = {split: StoredSplit(array, columns[split]) for split, array in images.items()}
    return Source(local_name(path), splits, names)


def _load(path: Path, *keys: str) -> dict[str, NDArray[Any]]:
    """Returns the arrays of an ``.npz`` by key: ``keys``, by default all."""
    import numpy as np

    if not zipfile.is_zipfile(path):
        raise ZooError(f"{path} is not an .npz file: write it with numpy.savez_compressed")
    try:
        with np.load(path, allow_pickle=False) as archive:
            wanted = keys or [key for key in archive.files if key in _READ]
            others = {} if keys else {key: np.empty(0) for key in archive.files}
            return others | {key: archive[key] for key in wanted}
    except MemoryError:
        raise
    except Exception as error:  # zipfile, zlib and numpy have no common base
        raise ZooError(
            f"{path} cannot be read ({first_line(error)}): write plain arrays with "
            "numpy.savez_compressed"
        ) from error


def _read_again(path: Path, key: str, name: str) -> NpzImages:
    return NpzImages(_load(path, key)[key], name, path, key)


def _check_images(array: NDArray[Any], key: str, path: Path) -> NDArray[Any]:
    shape = list(array.shape)
    if array.dtype.kind not in "biuf":
        raise ZooError(f"{key!r} in {path} is {array.dtype}: images must be numbers, such as uint8")
    if array.ndim == 4 and shape[3] > 4 and shape[1] in (1, 3):
        raise ZooError(
            f"{key!r} in {path} is {shape}: channels must be the last axis; save "
            "images.transpose(0, 2, 3, 1)"
        )
    if array.ndim not in (3, 4) or (array.ndim == 4 and not 1 <= shape[3] <= 4):
        raise ZooError(f"{key!r} in {path} is {shape}: images must be [N, H, W] or [N, H, W, C]")
    return array


def _label_list(array: NDArray[Any], key: str, count: int, path: Path) -> list[object]:
    if array.shape not in ((count,), (count, 1)):
        raise ZooError(
            f"{key!r} in {path} is {list(array.shape)} for {count} images: labels must be [{count}]"
        )
    return list(array.reshape(-1).tolist())
