"""``zoo sample RUN``: pictures from a run, as a grid, an array or a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from zoo.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor


@click.command("sample")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("-n", "count", type=click.IntRange(1), default=64, show_default=True, help="Pictures.")
@click.option("--temperature", type=click.FloatRange(0), help="Spread; the model's own otherwise.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--label", type=int, help="Class, for a conditional run.")
@click.option("--interpolate", is_flag=True, help="Walks between samples, one a row.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=Path("grid.png"),
    show_default=True,
    help="grid.png: a grid; x.npy: an array [N, C, H, W]; a folder: a picture each.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
def command(
    run: Path,
    count: int,
    temperature: float | None,
    seed: int,
    label: int | None,
    interpolate: bool,
    out: Path,
    device: str,
) -> None:
    """Draw pictures from RUN. The same seed draws the same pictures everywhere."""
    if out.suffix not in ("", ".png", ".npy"):
        raise UsageError(f"-o {out}: end it in .png for a grid, in .npy, or name a folder")
    if out.suffix == "" and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"-o {out}: something stands there; name an empty or a new folder")

    from zoo.run import load

    loaded = load(run, device)
    columns = None
    if interpolate:
        columns = min(count, 8)
        rows = -(-count // columns)
        pictures = loaded.interpolate(rows, columns, temperature, seed, label)
    else:
        pictures = loaded.sample(count, temperature, seed, label)
    write_pictures(pictures, out, columns)
    click.echo(out)


def write_pictures(pictures: Tensor, out: Path, columns: int | None = None) -> None:
    """``[N, C, H, W]`` in [0, 1] as a grid (``.png``), an array (``.npy``) or a folder of PNG."""
    import numpy as np

    from zoo.files import replacing
    from zoo.pictures import grid, picture, save_png, to_bytes

    values = pictures.numpy()
    if out.suffix == ".npy":
        with replacing(out) as beside, open(beside, "wb") as file:
            np.save(file, values)
    elif out.suffix == ".png":
        save_png(out, grid(values, columns))
    else:
        width = len(str(len(values) - 1))
        for i, one in enumerate(to_bytes(values)):
            save_png(out / f"{i:0{width}d}.png", picture(one))
