"""An ``.npz`` file of uint8 arrays, under the names that are in use.

``images`` with ``labels``; or ``train_images`` with ``train_labels`` and likewise ``val_``,
``valid_``, ``validation_`` and ``test_``; or Keras' ``x_train`` with ``y_train``, ``x_val``,
``x_test``. Nothing is ever unpickled.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.data.arrays import ArrayPictures
from zoo.data.classes import numbered, unlabeled
from zoo.data.names import local_name
from zoo.data.source import Part, Source
from zoo.data.splits import ALIASES
from zoo.errors import ZooError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_KEYS = {
    "images": ("train", "labels"),
    **{f"{word}_images": (split, f"{word}_labels") for word, split in ALIASES.items()},
    **{f"x_{word}": (split, f"y_{word}") for word, split in ALIASES.items()},
}
"""A key of pictures: its split and the key of their labels."""


@dataclass(frozen=True, eq=False)
class NpzPictures(ArrayPictures):
    """An array of an ``.npz``; other processes read it from the file, not through a pipe."""

    path: Path = field(default_factory=Path)
    key: str = "images"

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self.path.absolute(), self.key, self.name)


def open_npz(path: Path) -> Source:
    """The pictures in the file; raises ZooError, naming file and key, for what cannot be used."""
    arrays = _load(path)
    parts: dict[str, NpzPictures] = {}
    labels: dict[str, list[object]] = {}
    for key, (split, label_key) in _KEYS.items():
        if key not in arrays:
            continue
        if split in parts:
            raise ZooError(f"{path} has two arrays of {split} pictures, {key!r} is one: keep one")
        pictures = _images(arrays[key], key, path)
        parts[split] = NpzPictures(pictures, f"{key!r} in {path}", path, key)
        if label_key in arrays:
            labels[split] = _label_list(arrays[label_key], label_key, len(pictures), path)
    if not parts:
        raise ZooError(
            f"{path} has no pictures under a known key, only {', '.join(arrays) or 'nothing'}: "
            "call them images, or train_images and test_images, or x_train and x_test"
        )
    try:
        columns, names = numbered(labels)
    except TypeError as error:
        raise ZooError(f"{path} has {error}: labels must be whole numbers or words") from error
    missing = {split: unlabeled(len(part)) for split, part in parts.items()}
    return Source(
        local_name(path),
        {split: Part(part, (missing | columns)[split]) for split, part in parts.items()},
        names,
    )


def _load(path: Path, *keys: str) -> dict[str, NDArray[Any]]:
    """The arrays of an ``.npz`` by key: all, or those asked for."""
    import numpy as np

    if not zipfile.is_zipfile(path):
        raise ZooError(f"{path} is no .npz file: write it with numpy.savez_compressed")
    try:
        with np.load(path, allow_pickle=False) as archive:
            wanted = keys or [key for key in archive.files if key in _READ]
            others = {} if keys else {key: np.empty(0) for key in archive.files}
            return others | {key: archive[key] for key in wanted}
    except MemoryError:
        raise
    except Exception as error:  # zipfile, zlib and numpy each have their own
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ZooError(
            f"{path} cannot be read ({reason}): write plain uint8 arrays with "
            "numpy.savez_compressed"
        ) from error


_READ = frozenset(_KEYS) | {label for _, label in _KEYS.values()}


def _again(path: Path, key: str, name: str) -> NpzPictures:
    return NpzPictures(_load(path, key)[key], name, path, key)


def _images(array: NDArray[Any], key: str, path: Path) -> NDArray[np.uint8]:
    import numpy as np

    shape = list(array.shape)
    if array.dtype != np.uint8:
        mend = (
            "(images * 255).round().astype('uint8') if they are in [0, 1]"
            if array.dtype.kind == "f"
            else "images.astype('uint8')"
        )
        raise ZooError(
            f"{key!r} in {path} is {array.dtype}: pictures must be uint8, 0 to 255; save {mend}"
        )
    if array.ndim == 4 and shape[3] > 4 and shape[1] in (1, 3):
        raise ZooError(
            f"{key!r} in {path} is {shape}: the channels come last; save "
            "images.transpose(0, 2, 3, 1)"
        )
    if array.ndim not in (3, 4) or (array.ndim == 4 and not 1 <= shape[3] <= 4):
        raise ZooError(f"{key!r} in {path} is {shape}: pictures must be [N, H, W] or [N, H, W, C]")
    return array


def _label_list(array: NDArray[Any], key: str, count: int, path: Path) -> list[object]:
    if array.shape not in ((count,), (count, 1)):
        raise ZooError(
            f"{key!r} in {path} is {list(array.shape)} for {count} pictures: labels must be "
            f"[{count}]"
        )
    return list(array.reshape(-1).tolist())
