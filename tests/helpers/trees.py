"""Folders of small images, each different, and what a source makes of them."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from numbered import numbered_image, png

from zoo.config.sections import DataConfig
from zoo.data.find import find_source
from zoo.data.source import Source

_COUNTER = itertools.count(1)


def make_tree(root: Path, paths: Iterable[str]) -> Path:
    """Writes images to ``paths`` below ``root``; ``cat/*3`` is three of them."""
    for path in paths:
        name, _, count = path.partition("*")
        names = [f"{name}{i}.png" for i in range(int(count))] if count else [name]
        for each in names:
            file = root / each
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(png(numbered_image(next(_COUNTER))))
    return root


def source_of(path: Path, **options: Any) -> Source:
    return find_source(DataConfig(source=str(path), **options))


def classes_of(source: Source) -> dict[str, dict[str | None, int]]:
    """Returns the number of images by split and class, None for none."""
    names = [*source.class_names, None]
    return {
        split: dict(Counter(names[label] for label in stored.labels.tolist()))
        for split, stored in source.splits.items()
    }


def left_out(source: Source) -> list[str]:
    return [f"{part.what}: {part.why}" for part in source.left_out]
