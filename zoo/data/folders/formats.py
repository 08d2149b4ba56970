"""Advice on files that are not data that genzoo reads."""

from __future__ import annotations

from pathlib import Path

from zoo.errors import UsageError, ZooError
from zoo.system.files import require_regular

_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst")
_PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".joblib", ".ckpt")
_TABLES = (".csv", ".tsv", ".json", ".jsonl", ".txt", ".xml")


def advice(path: Path, inside: bool = False) -> str | None:
    """Returns what to do with a file of a known format, ``inside`` a folder of images or not."""
    from PIL import Image

    suffix = path.suffix.lower()
    if suffix in _ARCHIVES:
        return "is an archive: unpack it and name the folder"
    if suffix in _PICKLES:
        return "is a pickle, which is never read: save the images with numpy.savez_compressed"
    if suffix == ".npy":
        return "is a single array: numpy.savez_compressed('images.npz', images=array) is read"
    if suffix == ".npz":
        return "is a file of arrays in a folder: name the file itself as data.source"
    if suffix in (".arrow", ".feather"):
        return "is an Arrow file: name its folder from save_to_disk, or write it as parquet"
    if suffix in (".h5", ".hdf5", ".mat", ".tfrecord", ".lmdb", ".mdb"):
        return "has a format that is not read: save the images with numpy.savez_compressed"
    if inside:
        return None
    if suffix in _TABLES:
        return "is a table without images: name their folder, with this file as metadata.csv in it"
    if suffix in Image.registered_extensions():
        return "is a single image: name its folder"
    return None


def unknown_format(path: Path) -> UsageError:
    """Returns the error for a file that is named as a source and cannot be one."""
    if text := advice(path):
        return UsageError(f"{path} {text}")
    return UsageError(
        f"{path} has an unknown format: data.source must be a folder of images, a .parquet file or "
        "a folder of them, or an .npz file"
    )


def check_readable(path: Path) -> None:
    """Raises ZooError for a file that is empty or cannot be opened."""
    try:
        require_regular(path)
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise ZooError(f"{path} cannot be read: {error.strerror}") from error
    if empty:
        raise ZooError(f"{path} is empty: remove it, or copy it again")
