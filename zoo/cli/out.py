"""Where a command puts pictures: free names, names that cannot be, and what is never written."""

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
    """``path``, or where something stands there ``path-2``, ``path-3``, ..."""
    numbered = (path.with_stem(f"{path.stem}-{number}") for number in itertools.count(2))
    return next(one for one in itertools.chain([path], numbered) if not one.exists())


def check_out(out: Path) -> None:
    """Raise UsageError for a path that is no grid (``.png``), no array (``.npy``) and no folder, or
    where nothing can be written."""
    if out.suffix not in ("", ".png", ".npy"):
        raise UsageError(f"-o {out}: end it in .png for a grid, in .npy, or name a folder")
    if out.suffix and out.is_dir():
        raise UsageError(f"-o {out}: a folder stands there; name a file, or another folder")
    if not out.suffix and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"-o {out}: something stands there; name an empty or a new folder")


def check_finite(pictures: NDArray[Any], advice: str) -> None:
    """Raise ZooError, with what to do, where any of ``[N, C, H, W]`` has a value that is no number
    or infinite."""
    import numpy as np

    if bad := int((~np.isfinite(pictures)).any(axis=(1, 2, 3)).sum()):
        raise ZooError(f"{bad} of {len(pictures)} pictures are not finite: {advice}")


def write_array(out: Path, values: NDArray[Any]) -> None:
    """``values`` as a ``.npy`` file, whole or not at all."""
    import numpy as np

    from zoo.system.files import write_bytes

    array = BytesIO()  # numpy hides why a disk takes no more
    np.save(array, values)
    write_bytes(out, array.getvalue())


def write_folder(out: Path, pictures: Iterable[NDArray[np.uint8]], names: Sequence[str]) -> None:
    """uint8 pictures ``[H, W, C]`` as PNG, each of its name, whole or not at all."""
    from zoo.report.grids import picture, save_png
    from zoo.system.files import replacing_folder

    with replacing_folder(out) as beside:
        for name, one in zip(names, pictures, strict=True):
            save_png(beside / f"{name}.png", picture(one))
