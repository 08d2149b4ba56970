"""A dataset as text and as JSON: its kind, splits, classes, values, and what is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from zoo.data.dataset import Dataset, Split

MAX_NAMES = 8
"""Maximum number of classes that a summary names."""

NO_LABEL = "no label"


def class_counts(split: Split, class_names: tuple[str, ...]) -> dict[str, int]:
    """Returns the number of images of each class of a split, by name; empty without classes."""
    counts = np.bincount(split.labels[split.labels >= 0], minlength=len(class_names))
    return {name: int(count) for name, count in zip(class_names, counts, strict=False)}


def as_document(data: Dataset, source: str) -> dict[str, Any]:
    """Returns a dataset as JSON, with the hashes of the images if it has them."""
    assert data.values is not None, "set by open_data"
    spec = data.image_spec
    splits: dict[str, dict[str, Any]] = {
        name: {"images": len(split), "per_class": class_counts(split, spec.class_names)}
        for name, split in data.splits.items()
    }
    for name, hashes in data.ids.items():
        splits[name]["ids"] = list(hashes)
    return {
        "source": source,
        "kind": data.kind,
        "image": {
            "channels": spec.channels,
            "size": spec.size,
            "classes": spec.classes,
            "bits": spec.bits,
        },
        "class_names": list(spec.class_names),
        "splits": splits,
        "values": data.values.as_json(),
        "notes": list(data.notes),
        "left_out": [{"what": part.what, "why": part.why} for part in data.left_out],
    }


def summary(data: Dataset) -> str:
    """Returns kind, splits and classes in one line."""
    text = f"{data.name}: {data.kind}; "
    text += ", ".join(f"{len(split):,} {name}" for name, split in data.splits.items())
    if names := data.image_spec.class_names:
        more = ", ..." if len(names) > MAX_NAMES else ""
        text += f"; {len(names)} classes: {', '.join(names[:MAX_NAMES])}{more}"
    return text


def remarks(data: Dataset) -> list[str]:
    """Returns a line for each part of the source that is not used, and the notes."""
    return [*(f"left out: {part.what}, {part.why}" for part in data.left_out), *data.notes]
