"""Output paths of commands: default names, checks, and writers of images."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import UsageError, ZooError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def unused(path: Path) -> Path:
    """Returns ``path``, or if it exists the first free of ``path-2``, ``path-3``, ..."""
    numbered = (path.with_stem(f"{path.stem}-{number}") for number in itertools.count(2))
    return next(free for free in itertools.chain([path], numbered) if not free.exists())


def check_out(out: Path) -> None:
    """Raises UsageError unless the path is a grid (``.png``), an array (``.npy``) or a new or empty
    folder."""
    if out.suffix not in ("", ".png", ".npy"):
        raise UsageError(
            f"-o {out}: use a name in .png for a grid, in .npy for an array, or a folder"
        )
    if out.suffix and out.is_dir():
        raise UsageError(f"-o {out} is a folder: name a file, or another folder")
    if not out.suffix and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"-o {out} exists: name an empty or a new folder")


def check_finite(images: NDArray[Any], advice: str) -> None:
    """Raises ZooError with ``advice`` if any of the images ``[N, C, H, W]`` is not finite."""
    import numpy as np

    if bad := int((~np.isfinite(images)).any(axis=(1, 2, 3)).sum()):
        raise ZooError(f"{bad} of {len(images)} images are not finite: {advice}")


def write_array(out: Path, values: NDArray[Any]) -> None:
    """Writes ``values`` as a ``.npy`` file, atomically."""
    import numpy as np

    from zoo.system.files import write_bytes

    array = BytesIO()  # np.save to a file hides why a write fails
    np.save(array, values)
    write_bytes(out, array.getvalue())


def write_folder(out: Path, images: Iterable[NDArray[np.uint8]], names: Sequence[str]) -> None:
    """Writes uint8 images ``[H, W, C]`` as PNG files by name, atomically."""
    from zoo.report.grids import pil_image, save_png
    from zoo.system.files import replacing_folder

    with replacing_folder(out) as folder:
        for name, pixels in zip(names, images, strict=True):
            save_png(folder / f"{name}.png", pil_image(pixels), one_image=True)


def say_label(generator: object, label: str | None) -> None:
    """Says that ``--label`` is an index if the generator has no names of classes."""
    from zoo.system.console import say

    if label is not None and not getattr(generator, "class_names", ()):
        say("this run has no class names, so --label is the index of a class")
