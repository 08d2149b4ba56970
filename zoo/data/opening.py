"""From a source to a dataset: splits, shape, labels, and images in memory or streamed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zoo.data.classes import Classes, classes_by_position, classes_of
from zoo.data.dataset import Dataset, ResidentSplit, StreamedSplit
from zoo.data.division import (
    MISSING_SPLITS,
    by_hash,
    by_position,
    duplicate_notes,
    named_splits,
    rest,
    select,
)
from zoo.data.preparation.decode import Change
from zoo.data.preparation.survey import describe_changes, survey
from zoo.data.preparation.values import values_of
from zoo.data.reading import Reader, Reading, extremes
from zoo.data.source import Source, StoredSplit
from zoo.data.splits import SPLITS
from zoo.data.spread import spread
from zoo.specs import ImageSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zoo.config.sections import DataConfig
    from zoo.data.preparation.prepare import Preparation

Progress = Callable[[int, int], None]

CHECKED = 256
"""The number of images of a streamed split that are prepared when it is opened, to find faults."""

_ROWS = 1024


def prepare_dataset(
    source: Source,
    config: DataConfig,
    progress: Progress | None = None,
    seed: int = 0,
    class_names: Sequence[str] | None = None,
    splits: Sequence[str] = SPLITS,
    ids: bool = False,
) -> Dataset:
    """Returns the dataset that ``config`` makes of ``source``; see :func:`zoo.data.open_data`."""
    stored = named_splits(source.splits, source.name)
    if config.split_rule == "position":
        stored = by_position(stored)
    missing = [split for split in MISSING_SPLITS if split not in stored]
    if not set(missing) & set(splits):
        missing = []
    others = [part.images for split, part in stored.items() if split != "train"]
    surveyed = survey(config, stored["train"].images, others)
    preparation = surveyed.preparation
    size = sum(map(len, stored.values())) * preparation.channels * preparation.size**2
    resident = size <= config.resident_gib * 2**30

    readers = {}
    for split, part in stored.items():
        is_divided = split == "train" and bool(missing)
        if split in splits or is_divided:
            prepared = np.arange(len(part)) if resident else spread(len(part), CHECKED)
            hashed = ids or (config.split_rule == "hash" and (is_divided or resident))
            readers[split] = Reader(part.images, prepared, hashed)
    readings = _read(readers, preparation, progress)
    parts = _Parts(
        stored,
        {split: reading.images for split, reading in readings.items()},
        {split: reading.hashes for split, reading in readings.items() if reading.hashes},
    )
    duplicates = duplicate_notes(
        parts.hashes, {split: stored[split].labels for split in parts.hashes}, bool(missing)
    )
    if missing:
        labels = stored["train"].labels
        chosen = by_hash(parts.hashes["train"], labels, source.class_names, missing, seed)
        parts = parts.divided(chosen, resident)

    values = {split: values_of(images) for split, images in parts.images.items()}
    value_notes = surveyed.check(config, values)
    classes = _classes(source, parts.stored, config, class_names)
    changes = sum((reading.changes for reading in readings.values()), Counter[Change]())
    decoded = sum(len(reader.prepared) for reader in readers.values())
    total = sum(len(reader.stored) for reader in readers.values())
    found = {"layout": source.layout or config.layout, "column": source.column or config.column}
    channels, count = preparation.channels, len(classes.names)
    return Dataset(
        name=source.name,
        image_spec=ImageSpec(channels, preparation.size, count, config.bits, classes.names),
        splits={
            split: ResidentSplit(parts.images[split], classes.labels[split])
            if resident
            else StreamedSplit(parts.stored[split].images, classes.labels[split], preparation)
            for split in splits
        },
        config=surveyed.resolved(config, changes).model_copy(update=found),
        license=source.license,
        kind=source.kind,
        notes=(
            *source.notes,
            *classes.notes,
            *duplicates,
            *surveyed.notes,
            *describe_changes(changes, decoded, total, preparation),
            *value_notes,
        ),
        left_out=source.left_out,
        values=values.get("train"),
        sizes=extremes([size for reading in readings.values() for size in reading.sizes]),
        unknown_classes=classes.unknown,
        ids={
            split: tuple(value.hex() for value in parts.hashes.get(split, ()))
            for split in (splits if ids else ())
        },
    )


@dataclass(frozen=True, eq=False)
class _Parts:
    """Splits as stored, their prepared images and their hashes."""

    stored: dict[str, StoredSplit]
    images: dict[str, NDArray[np.uint8]]
    hashes: dict[str, Sequence[bytes]]

    def divided(self, chosen: Mapping[str, NDArray[np.int64]], resident: bool) -> _Parts:
        """Moves training images at the indices ``chosen`` to other splits; changes ``images``.

        Unless they are ``resident``, ``images`` are a sample of a split and stay as they are.
        """
        train = self.hashes["train"]
        kept = rest(len(train), chosen)
        moved = {
            split: [train[index] for index in indices]
            for split, indices in {**chosen, "train": kept}.items()
        }
        images = self.images
        if resident:
            images = images | {split: images["train"][rows] for split, rows in chosen.items()}
            images["train"] = _keep_rows(images["train"], kept)
        return _Parts(select(self.stored, chosen), images, self.hashes | moved)


def _read(
    readers: Mapping[str, Reader], preparation: Preparation, progress: Progress | None
) -> dict[str, Reading]:
    total, done = sum(map(len, readers.values())), 0
    readings = {}
    for split, reader in readers.items():

        def report(count: int, before: int = done) -> None:
            if progress is not None:
                progress(before + count, total)

        readings[split] = reader.read(preparation, report)
        done += len(reader)
    return readings


def _keep_rows(images: NDArray[np.uint8], rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Returns ``images[rows]`` for ascending ``rows``, moved within ``images`` and not copied."""
    for start in range(0, len(rows), _ROWS):
        part = rows[start : start + _ROWS]
        images[start : start + len(part)] = images[part]
    return images[: len(rows)]


def _classes(
    source: Source,
    stored: Mapping[str, StoredSplit],
    config: DataConfig,
    known: Sequence[str] | None,
) -> Classes:
    if config.split_rule == "position" and known is None:
        return classes_by_position(stored, source.class_names, source.layout is not None)
    return classes_of(stored, source.class_names, known)
