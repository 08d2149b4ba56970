"""``zoo sample RUN``: samples of a run, as a grid, an array or a folder."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zoo.api import read_run
from zoo.cli.loading import backend_option, check_label, load_network, open_exported
from zoo.cli.out import check_finite, check_out, say_label, unused, write_array, write_folder
from zoo.errors import UsageError
from zoo.plugins.formats import TORCH
from zoo.system.console import echo

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from zoo.run import Run
    from zoo.specs import ExportedModel

MAX_STEPS = 8
"""Maximum number of images in an interpolation."""


@click.command("sample")
@click.argument("run", type=click.Path())
@click.option("-n", "count", type=click.IntRange(1), default=64, show_default=True, help="Images.")
@click.option(
    "--temperature", type=click.FloatRange(0), help="Scale of the latents; default: the model's."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--label", metavar="NAME", help="Class, for a conditional run.")
@click.option(
    "--interpolate",
    is_flag=True,
    help="Interpolate between samples, one pair per row; -n is rounded up to whole rows.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="x.png: a grid; x.npy: an array [N, C, H, W]; a folder: one file per image. "
    "Default: grid.png, numbered if it exists.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
@backend_option
def command(
    run: str,
    count: int,
    temperature: float | None,
    seed: int,
    label: str | None,
    interpolate: bool,
    out: Path | None,
    device: str,
    backend: str,
) -> None:
    """Generate images with RUN. The same seed gives the same images on every machine."""
    out = unused(Path("grid.png")) if out is None else out
    check_out(out)
    if temperature is not None and not math.isfinite(temperature):
        raise UsageError(f"--temperature must be a finite number, got {temperature}")
    if interpolate and count < 2:
        raise UsageError(f"--interpolate needs at least 2 images, got -n {count}")

    generator = _open(run, label, device, backend)
    columns = None
    if interpolate:
        rows = -(-count // MAX_STEPS)
        columns = -(-count // rows)
        samples = generator.interpolate(
            rows, columns, seed=seed, temperature=temperature, labels=label
        )
    else:
        samples = generator.sample(count, seed=seed, temperature=temperature, labels=label)
    say_label(generator, label)
    import numpy as np

    images = np.asarray(samples)
    check_finite(images, "use a lower --temperature, or train for longer")
    write_images(images, out, columns)
    echo(out)


def _open(run: str, label: str | None, device: str, backend: str) -> Run | ExportedModel:
    if backend == TORCH:
        stored = read_run(run)
        check_label(stored, label)
        return load_network(stored, device)
    return open_exported(run, backend, device)


def write_images(images: NDArray[np.float32], out: Path, columns: int | None = None) -> None:
    """Writes images ``[N, C, H, W]`` in [0, 1] as a grid (``.png``), an array (``.npy``) or a
    folder of PNG files, atomically."""
    from zoo.report.grids import grid, save_png, to_bytes

    if out.suffix == ".npy":
        write_array(out, images)
    elif out.suffix == ".png":
        save_png(out, grid(images, columns))
    else:
        width = len(str(len(images) - 1))
        write_folder(out, to_bytes(images), [f"{i:0{width}d}" for i in range(len(images))])
