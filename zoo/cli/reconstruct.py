"""``zoo reconstruct RUN IMAGES…``: real images and their reconstructions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zoo.api import read_run
from zoo.cli.loading import check_label, load_network
from zoo.cli.out import check_finite, check_out, say_label, unused, write_array, write_folder
from zoo.errors import UsageError, ZooError
from zoo.system.console import echo, say

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.data.source import Selected
    from zoo.run import Run
    from zoo.specs import Labels


@click.command("reconstruct")
@click.argument("run", type=click.Path())
@click.argument("images", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "-n",
    "count",
    type=click.IntRange(1),
    default=16,
    show_default=True,
    help="Maximum number of images.",
)
@click.option("--label", metavar="NAME", help="Class of the images, for a conditional run.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="x.png: each original over its reconstruction; x.npy: an array [2, N, C, H, W], originals "
    "first; a folder: one file per image. Default: reconstruction.png, numbered if it exists.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
def command(
    run: str,
    images: tuple[Path, ...],
    count: int,
    label: str | None,
    out: Path | None,
    device: str,
) -> None:
    """Encode and decode images with RUN, and write originals and reconstructions.

    IMAGES are files or folders, preprocessed like training data. The default is the run's test
    split. With more than -n images, those that are used are spread evenly over them.
    """
    out = unused(Path("reconstruction.png")) if out is None else out
    check_out(out)

    stored = read_run(run)
    stored.spec.require("encode")
    check_label(stored, label)
    if images and stored.classes and label is None:
        raise _unlabeled(stored.name, stored.classes, stored.class_names, "these images")
    selected = _selected(images, count) if images else None
    loaded = load_network(stored, device)
    if selected is not None:
        originals, labels, title = _from_files(loaded, selected, label)
    else:
        originals, labels, title = _from_test_split(loaded, count, label)
    reconstructions = loaded.reconstruct(originals, labels=labels)
    say_label(loaded, label)
    check_finite(reconstructions.numpy(), "use weights from before the run diverged")
    _write(originals, reconstructions, out)

    from zoo.evaluation.difference import difference

    echo(out)
    echo(f"{title}: {difference(originals, reconstructions)}")


def _selected(paths: tuple[Path, ...], count: int) -> Selected:
    """Returns at most ``count`` image files, spread over ``paths``."""
    from zoo.data.image_files import find_images
    from zoo.data.source import Selected
    from zoo.data.spread import spread

    files, left_out = find_images(paths)
    for part in left_out:
        say(f"left out: {part.what}, {part.why}")
    selected = Selected(files, spread(len(files), count))
    if len(selected) < len(files):
        say(f"using {len(selected)} of {len(files):,} images, evenly spread (-n)")
    return selected


def _from_files(run: Run, selected: Selected, label: str | None) -> tuple[Tensor, Labels, str]:
    """Returns the images, ``[N, C, H, W]`` in [0, 1], with their label and a title."""
    from zoo.data.image_files import read_images

    title = "1 image" if len(selected) == 1 else f"{len(selected)} images"
    return run.as_images(read_images(selected, run.data_config())), label, title


def _from_test_split(run: Run, count: int, label: str | None) -> tuple[Tensor, Labels, str]:
    """Returns the same for the run's test split, with its labels."""
    import numpy as np

    from zoo.data.spread import spread_split
    from zoo.evaluation.conditioning import conditioned
    from zoo.sampling.labels import Indices
    from zoo.system.progress import progress

    reporter = progress()
    try:
        data = run.open_data(
            None, lambda done, total: reporter.show("reading images", done, total), split="test"
        )
    except UsageError as error:
        raise UsageError(f"{error}; or name images to reconstruct") from error
    finally:
        reporter.close()
    if not len(data.splits["test"]):
        raise ZooError(f"{data.name} has no test split: name images to reconstruct")
    conditioning = conditioned(run, data, "test")
    labels: Labels = label
    if label is None and run.latent.classes:
        if conditioning.unlabeled:
            where = f"the test split of {data.name}"
            raise _unlabeled(run.name, run.latent.classes, run.class_names, where)
        if conditioning.left_out:
            say(f"{conditioning.left_out:,} images of no known class are left out")
        data = conditioning.data
    test = data.splits["test"]
    split, _ = spread_split(test, count)
    images, classes = zip(*(split[i] for i in range(len(split))), strict=True)
    if label is None and run.latent.classes:
        labels = Indices(np.array(classes))
    title = f"the {len(test):,} images of the test split of {data.name}"
    if len(split) < len(test):
        title = f"{len(split)} of {title}, evenly spread"
    return run.as_images(np.stack(images)), labels, title


def _unlabeled(model: str, classes: int, names: Sequence[str], images: str) -> UsageError:
    from zoo.sampling.names import listed

    return UsageError(
        f"this {model} is conditional and {images} have no class: set --label to one "
        f"of {listed(names) or f'0 to {classes - 1}'}"
    )


def _write(originals: Tensor, reconstructions: Tensor, out: Path) -> None:
    import numpy as np

    from zoo.report.grids import pairs, save_png, to_bytes

    kinds = ("original", "reconstruction")
    both = np.stack([originals.numpy(), reconstructions.numpy()])
    if out.suffix == ".npy":
        write_array(out, both)
    elif out.suffix == ".png":
        save_png(out, pairs(both[0], both[1], kinds))
    else:
        width = len(str(len(originals) - 1))
        names = [f"{i:0{width}d}-{kind}" for kind in kinds for i in range(len(originals))]
        write_folder(out, to_bytes(both.reshape(-1, *both.shape[2:])), names)
