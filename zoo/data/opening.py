"""From a source to a data set: splits, shape, labels, and where the pictures are kept."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from zoo.data.classes import unlabeled
from zoo.data.dataset import Dataset, ResidentSplit, Split, StreamedSplit
from zoo.data.decode import Change
from zoo.data.source import Part, Source
from zoo.data.splits import divide
from zoo.data.survey import spread, survey, tell
from zoo.specs import ImageSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zoo.config.sections import DataConfig
    from zoo.data.prepare import Preparation

Progress = Callable[[int, int], None]

TRIED = 256
"""How many pictures of a split that is streamed are decoded at once, to find faults early."""

_CHUNK = 64


def prepared(source: Source, config: DataConfig, progress: Progress | None = None) -> Dataset:
    """The data set that ``config`` makes of ``source``; see :func:`zoo.data.open_data`."""
    parts = divide(source.parts, source.name)
    found = survey(config, parts["train"].pictures)
    make = found.preparation
    names, labels, notes = _labels(source, parts)
    parts = {split: Part(part.pictures, labels[split]) for split, part in parts.items()}

    total = sum(map(len, parts.values()))
    resident = total * make.channels * make.size**2 <= config.resident_gib * 2**30
    work = {
        split: np.arange(len(part)) if resident else spread(len(part), TRIED)
        for split, part in parts.items()
    }
    looked, done = sum(map(len, work.values())), 0
    changes: Counter[Change] = Counter()
    splits: dict[str, Split] = {}
    for split, part in parts.items():
        before = done

        def report(count: int, before: int = before) -> None:
            if progress is not None:
                progress(before + count, looked)

        images = _decode(part, work[split], make, changes, report)
        done += len(work[split])
        splits[split] = (
            ResidentSplit(images, part.labels)
            if resident
            else StreamedSplit(part.pictures, part.labels, make)
        )
    return Dataset(
        name=source.name,
        image=ImageSpec(make.channels, make.size, len(names), config.bits),
        splits=splits,
        class_names=names,
        license=source.license,
        notes=(*source.notes, *notes, *found.notes, *tell(changes, looked, total, make)),
    )


def _labels(
    source: Source, parts: dict[str, Part]
) -> tuple[tuple[str, ...], dict[str, NDArray[np.int64]], list[str]]:
    """The classes, if they say something: two at least, and one for every training picture."""
    names, notes = source.class_names, []
    if len(names) > 1 and (parts["train"].labels < 0).any():
        notes.append("Labels were left out: some training pictures have none.")
        names = ()
    if len(names) < 2:
        return (), {split: unlabeled(len(part)) for split, part in parts.items()}, notes
    return names, {split: part.labels for split, part in parts.items()}, notes


def _decode(
    part: Part,
    indices: NDArray[np.int64],
    make: Preparation,
    changes: Counter[Change],
    report: Callable[[int], None],
) -> NDArray[np.uint8]:
    """The pictures at ``indices`` as uint8 [N, C, S, S]; ``changes`` counts what was done.

    Threads, for Pillow decodes and scales without holding the interpreter.
    """
    images = np.empty((len(indices), make.channels, make.size, make.size), dtype=np.uint8)

    def fill(places: Sequence[int]) -> Counter[Change]:
        found: Counter[Change] = Counter()
        for place in places:
            index = int(indices[place])
            picture = part.pictures.open(index)
            images[place], change = make.apply(picture, part.pictures.where(index))
            found.update(change)
        return found

    places = range(len(indices))
    chunks = [places[start : start + _CHUNK] for start in range(0, len(places), _CHUNK)]
    pool = ThreadPoolExecutor(min(16, os.cpu_count() or 1))
    try:
        for chunk, found in zip(chunks, pool.map(fill, chunks), strict=True):
            changes.update(found)
            report(chunk[-1] + 1)
    finally:
        pool.shutdown(cancel_futures=True)
    return images
