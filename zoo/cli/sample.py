"""``zoo sample RUN``: pictures from a run, as a grid, an array or a folder."""

from __future__ import annotations

import itertools
import math
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zoo.errors import UsageError, ZooError

if TYPE_CHECKING:
    from torch import Tensor


@click.command("sample")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "-n", "count", type=click.IntRange(1), default=64, show_default=True, help="Pictures."
)
@click.option("--temperature", type=click.FloatRange(0), help="Spread; the model's own otherwise.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--label", type=int, help="Class, for a conditional run.")
@click.option("--interpolate", is_flag=True, help="Walks between samples, one a row.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="x.png: a grid; x.npy: an array [N, C, H, W]; a folder: a picture each. "
    "A grid of a new name otherwise.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
def command(
    run: Path,
    count: int,
    temperature: float | None,
    seed: int,
    label: int | None,
    interpolate: bool,
    out: Path | None,
    device: str,
) -> None:
    """Draw pictures from RUN. The same seed draws the same pictures everywhere."""
    out = unused(Path("grid.png")) if out is None else out
    check_out(out)
    if temperature is not None and not math.isfinite(temperature):
        raise UsageError(f"--temperature must be a finite number, got {temperature}")
    if interpolate and count < 2:
        raise UsageError(f"--interpolate needs 2 pictures at least, got -n {count}")

    from zoo.run import load

    loaded = load(run, device)
    columns = None
    if interpolate:
        columns = min(count, 8)
        rows = -(-count // columns)
        pictures = loaded.interpolate(rows, columns, temperature, seed, label)
    else:
        pictures = loaded.sample(count, temperature, seed, label)
    if bad := int((~pictures.isfinite()).flatten(1).any(1).sum()):
        raise ZooError(
            f"{bad} of {len(pictures)} pictures are not finite: draw at a lower --temperature, or "
            "train on"
        )
    write_pictures(pictures, out, columns)
    click.echo(out)


def unused(path: Path) -> Path:
    """``path``, or where something stands there ``path-2``, ``path-3``, ..."""
    numbered = (path.with_stem(f"{path.stem}-{number}") for number in itertools.count(2))
    return next(one for one in itertools.chain([path], numbered) if not one.exists())


def check_out(out: Path) -> None:
    """Raise UsageError for a path that :func:`write_pictures` cannot write to."""
    if out.suffix not in ("", ".png", ".npy"):
        raise UsageError(f"-o {out}: end it in .png for a grid, in .npy, or name a folder")
    if out.suffix and out.is_dir():
        raise UsageError(f"-o {out}: a folder stands there; name a file, or another folder")
    if not out.suffix and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"-o {out}: something stands there; name an empty or a new folder")


def write_pictures(pictures: Tensor, out: Path, columns: int | None = None) -> None:
    """``[N, C, H, W]`` in [0, 1] as a grid (``.png``), an array (``.npy``) or a folder of PNG,
    whole or not at all."""
    import numpy as np

    from zoo.files import replacing_folder, write_bytes
    from zoo.pictures import grid, picture, save_png, to_bytes

    values = pictures.numpy()
    if out.suffix == ".npy":
        array = BytesIO()  # numpy hides why a disk takes no more
        np.save(array, values)
        write_bytes(out, array.getvalue())
    elif out.suffix == ".png":
        save_png(out, grid(values, columns))
    else:
        width = len(str(len(values) - 1))
        with replacing_folder(out) as beside:
            for i, one in enumerate(to_bytes(values)):
                save_png(beside / f"{i:0{width}d}.png", picture(one))
