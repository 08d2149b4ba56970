"""``zoo data SOURCE``: a dataset as training would use it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from zoo.cli.group import columns, complete_models, echo_json, json_option
from zoo.data.names import check_source
from zoo.errors import UsageError
from zoo.system.console import echo, say

if TYPE_CHECKING:
    from zoo.config.sections import Config
    from zoo.data.dataset import Dataset

MAX_CLASSES = 20
"""Maximum number of classes that the text counts; JSON has all."""


@click.command("data")
@click.argument("source")
@click.option("assignments", "--set", multiple=True, metavar="KEY=VALUE", help="Set a data key.")
@click.option(
    "--model", shell_complete=complete_models, help="Model whose presets apply; default: none."
)
@click.option("--preset", help="Preset of --model; default: the first.")
@click.option(
    "--config", "file", type=click.Path(path_type=Path), help="A TOML file, with --model."
)
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), help="Training seed, which missing splits follow."
)
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="x.png: a contact sheet of the classes."
)
@click.option("--list", "list_ids", is_flag=True, help="Print the hash of each image, by split.")
@json_option
def command(
    source: str,
    assignments: tuple[str, ...],
    model: str | None,
    preset: str | None,
    file: Path | None,
    seed: int | None,
    out: Path | None,
    list_ids: bool,
    as_json: bool,
) -> None:
    """Show the images of SOURCE as training would use them.

    Prints splits, classes, sizes, values, and what is left out and why. SOURCE is a name,
    user/dataset, folder, parquet or .npz.
    """
    if out is not None and (out.suffix != ".png" or out.is_dir()):
        raise UsageError(f"-o {out}: name a file in .png")
    config = _resolve(source, assignments, model, preset, file)
    check_source(source)
    say(f"{source}: reading images")

    from zoo.data import open_data
    from zoo.report.dataset import as_document
    from zoo.system.progress import progress

    reporter = progress()
    try:
        data = open_data(
            config.data,
            lambda done, total: reporter.show("reading images", done, total),
            seed=config.training.seed if seed is None else seed,
            ids=list_ids,
        )
    finally:
        reporter.close()
    if out is not None:
        from zoo.report.contact import contact_sheet
        from zoo.report.grids import save_png

        save_png(out, contact_sheet(data))
    if as_json:
        echo_json(as_document(data, source))
    else:
        echo(*as_lines(data))
    if out is not None:
        (say if as_json else echo)(out)


def _resolve(
    source: str,
    assignments: tuple[str, ...],
    model: str | None,
    preset: str | None,
    file: Path | None,
) -> Config:
    from zoo.api import host
    from zoo.config.resolve import Setting, parse_assignment, resolve
    from zoo.specs import ModelConfig, ModelSpec

    if model is not None:
        spec = host().spec(model)
    else:
        for option, value in {"--preset": preset, "--config": file}.items():
            if value is not None:
                raise UsageError(f"{option} {value} needs --model")
        spec = ModelSpec(
            name="data", family="", title="", paper="", config=ModelConfig, presets={"none": {}}
        )
    settings = [parse_assignment(spec, text) for text in assignments]
    for setting in settings:
        if setting.section != "data":
            raise UsageError(f"{setting.label}: zoo data takes keys of the section data only")
    settings.insert(0, Setting("data", "source", source, f"SOURCE {source}"))
    return resolve(spec, preset, file, settings)


def as_lines(data: Dataset) -> list[str]:
    """Returns what ``zoo data`` prints: kind, shape, splits by class, values and notes."""
    from zoo.report.dataset import remarks

    assert data.values is not None, "set by open_data"
    spec = data.image_spec
    levels = f", {spec.bits} bits" if spec.bits < 8 else ""
    lines = [
        f"{data.name}: {data.kind}",
        f"images  {_sizes(data)} as {spec.channels}x{spec.size}x{spec.size}{levels}",
        f"values  {data.values.min} to {data.values.max}, {data.values.distinct} different",
        "",
        *columns(_table(data)),
    ]
    notes = remarks(data)
    ids = [f"{name}  {value}" for name, values in data.ids.items() for value in values]
    return [*lines, *([""] if notes else []), *notes, *([""] if ids else []), *ids]


def _sizes(data: Dataset) -> str:
    """Returns the sizes of the images as they are stored."""
    smallest, largest = data.sizes
    width, height = smallest
    if smallest == largest:
        return f"{width}x{height}"
    return f"{width}x{height} to {largest[0]}x{largest[1]}"


def _table(data: Dataset) -> list[tuple[str, ...]]:
    """Returns the number of images of each split, in all and by class, as rows."""
    from zoo.report.dataset import NO_LABEL, class_counts

    names, splits = data.image_spec.class_names, data.splits.values()
    rows = [("", *data.splits), ("images", *(f"{len(split):,}" for split in splits))]
    counts = [class_counts(split, names) for split in splits]
    rows += [(name, *(f"{count[name]:,}" for count in counts)) for name in names[:MAX_CLASSES]]
    if (more := len(names) - MAX_CLASSES) > 0:
        rows.append((f"and {more:,} more", *("" for _ in splits)))
    unlabeled = [int((split.labels < 0).sum()) for split in splits]
    if names and any(unlabeled):
        rows.append((NO_LABEL, *(f"{count:,}" for count in unlabeled)))
    return rows
