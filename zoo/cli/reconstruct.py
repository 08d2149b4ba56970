"""``zoo reconstruct RUN IMAGES…``: real pictures, encoded and decoded again, beside themselves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from zoo.cli.out import check_finite, check_out, unused, write_array, write_folder
from zoo.errors import UsageError, ZooError

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.run import Run
    from zoo.sampling.sampler import Labels


@click.command("reconstruct")
@click.argument("run", type=click.Path())
@click.argument("images", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "-n", "count", type=click.IntRange(1), default=16, show_default=True, help="Pictures, at most."
)
@click.option("--label", type=int, help="Class of the pictures, for a conditional run.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="x.png: each original over its reconstruction; x.npy: an array [2, N, C, H, W], originals "
    "first; a folder: a picture each. A reconstruction.png of a new name otherwise.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
def command(
    run: str,
    images: tuple[Path, ...],
    count: int,
    label: int | None,
    out: Path | None,
    device: str,
) -> None:
    """Encode pictures with RUN, decode them again, and show both.

    IMAGES are files, or folders of them, brought to the run's size and channels as training data
    are. Without any, the pictures are the first of the run's own test split.
    """
    out = unused(Path("reconstruction.png")) if out is None else out
    check_out(out)

    from zoo.api import load
    from zoo.evaluation.difference import difference

    loaded = load(run, device)
    loaded.require("encode")
    if images:
        originals, labels, what = _given(loaded, images, count, label)
    else:
        originals, labels, what = _of_test_split(loaded, count, label)
    pictures = loaded.reconstruct(originals, labels=labels)
    check_finite(pictures.numpy(), "train on, or take weights from before the run diverged")
    _write(originals, pictures, out)
    click.echo(out)
    click.echo(f"{what}: {difference(originals, pictures)}")


def _given(
    run: Run, paths: tuple[Path, ...], count: int, label: int | None
) -> tuple[Tensor, Labels, str]:
    """The first pictures below ``paths``, ``[N, C, H, W]`` in [0, 1], with their class and what to
    call them."""
    from zoo.data.image_files import find_images, read_images

    if label is None and run.latent.classes:
        raise _unlabeled(run, "these pictures")
    found = find_images(paths)
    some = found.first(count)
    if len(some) < len(found):
        click.echo(f"the first {len(some)} of {len(found):,} pictures: -n takes more", err=True)
    many = "1 picture" if len(some) == 1 else f"{len(some)} pictures"
    return run.as_images(read_images(some, run.data_config())), label, many


def _of_test_split(run: Run, count: int, label: int | None) -> tuple[Tensor, Labels, str]:
    """The same of the first pictures of the run's own test split, with their own classes."""
    import numpy as np

    from zoo.data import open_data

    # Streamed: a few pictures are wanted, not a whole set in memory.
    config = run.data_config().model_copy(update={"resident_gib": 0.0})
    try:
        data = open_data(config)
    except UsageError as error:
        raise UsageError(f"{error}; or name pictures to reconstruct") from error
    split = data.splits["test"]
    if not len(split):
        raise ZooError(f"{data.name} has no test split: name pictures to reconstruct")
    pictures, classes = zip(*(split[i] for i in range(min(count, len(split)))), strict=True)
    labels: Labels = label
    if label is None and run.latent.classes:
        if min(classes) < 0:
            raise _unlabeled(run, f"the test split of {data.name}")
        labels = classes
    what = f"first {len(pictures)} of the test split of {data.name}"
    return run.as_images(np.stack(pictures)), labels, what


def _unlabeled(run: Run, what: str) -> UsageError:
    return UsageError(
        f"this {run.name} is conditional and {what} have no class: say which with --label, "
        f"0 to {run.latent.classes - 1}"
    )


def _write(originals: Tensor, pictures: Tensor, out: Path) -> None:
    import numpy as np

    from zoo.report.grids import pairs, save_png, to_bytes

    kinds = ("original", "reconstruction")
    both = np.stack([originals.numpy(), pictures.numpy()])
    if out.suffix == ".npy":
        write_array(out, both)
    elif out.suffix == ".png":
        save_png(out, pairs(both[0], both[1], kinds))
    else:
        width = len(str(len(originals) - 1))
        names = [f"{i:0{width}d}-{kind}" for kind in kinds for i in range(len(originals))]
        write_folder(out, to_bytes(both.reshape(-1, *both.shape[2:])), names)
