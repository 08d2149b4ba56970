"""From a source to a dataset: splits, shape, labels, and images in memory or streamed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from zoo.data.classes import classes_by_position, classes_of
from zoo.data.dataset import Dataset, ResidentSplit, Split, StreamedSplit
from zoo.data.decode import Change
from zoo.data.source import Source, StoredSplit
from zoo.data.splits import divide
from zoo.data.survey import describe_changes, spread, survey
from zoo.data.values import Values, values_of
from zoo.specs import ImageSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zoo.config.sections import DataConfig
    from zoo.data.prepare import Preparation

Progress = Callable[[int, int], None]

CHECKED = 256
"""The number of images of a streamed split that are decoded when it is opened, to find faults."""

_CHUNK = 64


def prepare_dataset(
    source: Source,
    config: DataConfig,
    progress: Progress | None = None,
    seed: int = 0,
    class_names: Sequence[str] | None = None,
) -> Dataset:
    """Returns the dataset that ``config`` makes of ``source``; see :func:`zoo.data.open_data`."""
    stored = divide(source.splits, source.name)
    others = [part.images for split, part in stored.items() if split != "train"]
    surveyed = survey(config, stored["train"].images, others)
    preparation = surveyed.preparation
    if config.split_rule == "position" and class_names is None:
        classes = classes_by_position(stored, source.class_names, source.layout is not None)
    else:
        classes = classes_of(stored, source.class_names, class_names)
    names = classes.names
    stored = {
        split: StoredSplit(part.images, classes.labels[split]) for split, part in stored.items()
    }

    total = sum(map(len, stored.values()))
    size = total * preparation.channels * preparation.size**2
    resident = size <= config.resident_gib * 2**30
    indices = {
        split: np.arange(len(part)) if resident else spread(len(part), CHECKED)
        for split, part in stored.items()
    }
    decoded, done = sum(map(len, indices.values())), 0
    changes: Counter[Change] = Counter()
    splits: dict[str, Split] = {}
    values: dict[str, Values] = {}
    for split, part in stored.items():
        before = done

        def report(count: int, before: int = before) -> None:
            if progress is not None:
                progress(before + count, decoded)

        images = _decode(part, indices[split], preparation, changes, report)
        values[split] = values_of(images)
        done += len(indices[split])
        splits[split] = (
            ResidentSplit(images, part.labels)
            if resident
            else StreamedSplit(part.images, part.labels, preparation)
        )
    value_notes = surveyed.check(config, values)
    change_notes = describe_changes(changes, decoded, total, preparation)
    return Dataset(
        name=source.name,
        image_spec=ImageSpec(
            preparation.channels, preparation.size, len(names), config.bits, names
        ),
        splits=splits,
        config=surveyed.resolved(config, changes),
        license=source.license,
        values=values["train"],
        unknown_classes=classes.unknown,
        notes=(*source.notes, *classes.notes, *surveyed.notes, *change_notes, *value_notes),
    )


def _decode(
    stored: StoredSplit,
    indices: NDArray[np.int64],
    preparation: Preparation,
    changes: Counter[Change],
    report: Callable[[int], None],
) -> NDArray[np.uint8]:
    """Returns the images at ``indices`` as uint8 [N, C, S, S] and counts their ``changes``.

    Uses threads: Pillow releases the GIL while it decodes and scales.
    """
    shape = (len(indices), preparation.channels, preparation.size, preparation.size)
    images = np.empty(shape, dtype=np.uint8)

    def fill(positions: Sequence[int]) -> Counter[Change]:
        counts: Counter[Change] = Counter()
        for position in positions:
            index = int(indices[position])
            image, location = stored.images.open(index), stored.images.location(index)
            images[position], change = preparation.apply(image, location)
            counts.update(change)
        return counts

    positions = range(len(indices))
    chunks = [positions[start : start + _CHUNK] for start in range(0, len(positions), _CHUNK)]
    pool = ThreadPoolExecutor(min(16, os.cpu_count() or 1))
    try:
        for chunk, counts in zip(chunks, pool.map(fill, chunks), strict=True):
            changes.update(counts)
            report(chunk[-1] + 1)
    finally:
        pool.shutdown(cancel_futures=True)
    return images
