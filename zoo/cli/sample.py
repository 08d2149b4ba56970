"""``zoo sample RUN``: pictures from a run, as a grid, an array or a folder."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zoo.cli.out import check_finite, check_out, unused, write_array, write_folder
from zoo.errors import UsageError
from zoo.runs.sources import is_here

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from zoo.run import Run
    from zoo.specs import Generator

WALK = 8
"""The longest walk from one sample to another, in pictures."""

TORCH = "torch"


@click.command("sample")
@click.argument("run", type=click.Path())
@click.option(
    "-n", "count", type=click.IntRange(1), default=64, show_default=True, help="Pictures."
)
@click.option("--temperature", type=click.FloatRange(0), help="Spread; the model's own otherwise.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--label", type=int, help="Class, for a conditional run.")
@click.option(
    "--interpolate",
    is_flag=True,
    help="Walks from sample to sample, a row each; -n is rounded up to whole rows.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="x.png: a grid; x.npy: an array [N, C, H, W]; a folder: a picture each. "
    "A grid of a new name otherwise.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
@click.option(
    "--backend",
    default=TORCH,
    show_default=True,
    help="torch, or a format that RUN was exported to: onnx.",
)
def command(
    run: str,
    count: int,
    temperature: float | None,
    seed: int,
    label: int | None,
    interpolate: bool,
    out: Path | None,
    device: str,
    backend: str,
) -> None:
    """Draw pictures from RUN. The same seed draws the same pictures everywhere."""
    out = unused(Path("grid.png")) if out is None else out
    check_out(out)
    if temperature is not None and not math.isfinite(temperature):
        raise UsageError(f"--temperature must be a finite number, got {temperature}")
    if interpolate and count < 2:
        raise UsageError(f"--interpolate needs 2 pictures at least, got -n {count}")

    drawer = _opened(run, device, backend)
    columns = None
    if interpolate:
        rows = -(-count // WALK)
        columns = -(-count // rows)
        drawn = drawer.interpolate(rows, columns, seed=seed, temperature=temperature, labels=label)
    else:
        drawn = drawer.sample(count, seed=seed, temperature=temperature, labels=label)
    import numpy as np

    pictures = np.asarray(drawn)
    check_finite(pictures, "draw at a lower --temperature, or train on")
    write_pictures(pictures, out, columns)
    click.echo(out)


def _opened(run: str, device: str, backend: str) -> Run | Generator:
    if backend == TORCH:
        from zoo.api import load

        return load(run, device)
    from zoo.api import host
    from zoo.plugins.formats import format_of

    return format_of(host(), backend).open(Path(run) if is_here(run) else run, device)


def write_pictures(pictures: NDArray[np.float32], out: Path, columns: int | None = None) -> None:
    """``[N, C, H, W]`` in [0, 1] as a grid (``.png``), an array (``.npy``) or a folder of PNG,
    whole or not at all."""
    from zoo.report.grids import grid, save_png, to_bytes

    if out.suffix == ".npy":
        write_array(out, pictures)
    elif out.suffix == ".png":
        save_png(out, grid(pictures, columns))
    else:
        width = len(str(len(pictures) - 1))
        write_folder(out, to_bytes(pictures), [f"{i:0{width}d}" for i in range(len(pictures))])
