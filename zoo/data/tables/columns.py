"""The columns of images and labels of a table, by the features of the ``datasets`` library."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.data.classes import numbered
from zoo.data.folders.folder_names import names_masks
from zoo.data.labels import LABEL_COLUMNS, as_labels, class_labels, in_order
from zoo.data.source import LeftOut
from zoo.errors import UsageError, ZooError, nearest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

IMAGE_COLUMNS = ("image", "img", "picture", "images", "png", "jpg")
"""Names of columns of images, the preferred first."""


@dataclass(frozen=True)
class Part:
    """A file or table of a split: its features by column, and a reader of a column's values."""

    features: Mapping[str, Any]
    read: Callable[[str], list[Any]]


@dataclass(frozen=True)
class Labels:
    """Labels by split as indices of ``names``, the column that they are in, and notes."""

    columns: Mapping[str, NDArray[np.int64]]
    names: tuple[str, ...]
    column: str | None
    left_out: tuple[LeftOut, ...]


def image_column(features: Mapping[str, Any], name: str, chosen: str | None = None) -> str:
    """Returns the column of images of the dataset ``name``; ``chosen``, if it is set.

    Otherwise the only one, else ``image``, else the only one with a preferred name, else the only
    one not named after masks. Raises ZooError for none and for several.
    """
    if chosen is not None:
        if chosen not in features:
            raise UsageError(
                f"data.column is {chosen!r}, which {name} does not have{nearest(chosen, features)}"
            )
        return chosen
    columns = image_columns(features)
    preferred = [column for column in IMAGE_COLUMNS if column in columns]
    no_masks = [column for column in columns if not names_masks(column)]
    for candidates in (columns, [c for c in columns if c == IMAGE_COLUMNS[0]], preferred, no_masks):
        if len(candidates) == 1:
            return candidates[0]
    if columns:
        raise ZooError(
            f"{name} has several columns of images, {', '.join(columns)}: choose one, for example "
            f"with --set data.column={columns[0]}"
        )
    raise ZooError(
        f"{name} has no column of images, only {', '.join(features) or 'none at all'}: call it "
        "image, or choose it with --set data.column=NAME"
    )


def image_columns(features: Mapping[str, Any]) -> list[str]:
    """Returns the columns that can hold images: by their types, or by name if it is not text."""
    from datasets import Image

    return [
        column
        for column, feature in features.items()
        if isinstance(feature, Image)
        or (isinstance(feature, Mapping) and "bytes" in feature)
        or (column in IMAGE_COLUMNS and getattr(feature, "dtype", "") not in _TEXT)
    ]


_TEXT = ("string", "large_string", "bool", "int64", "float64", "null")


def read_labels(parts: Mapping[str, Sequence[Part]], images: str) -> Labels:
    """Returns the labels of all splits: those of the first of LABEL_COLUMNS that has classes, else
    of the only column of type ClassLabel.

    Columns that are neither labels nor ``images`` are left out.
    """
    from datasets import ClassLabel

    features = next(iter(parts.values()))[0].features
    typed = [column for column, kind in features.items() if isinstance(kind, ClassLabel)]
    candidates = [column for column in LABEL_COLUMNS if column in features and column != images]
    candidates += [column for column in typed if column not in candidates and len(typed) == 1]
    left_out: list[LeftOut] = []
    others = [column for column in features if column != images]
    for column in candidates:
        columns, names = _read_column(parts, column)
        others.remove(column)
        if columns:
            rest = [other for other in (*candidates, *typed) if other in others]
            for other in dict.fromkeys(rest):
                others.remove(other)
                left_out.append(LeftOut(f"the column {other!r}", f"labels are those of {column!r}"))
            return Labels(columns, names, column, (*left_out, *_unused(features, others)))
        left_out.append(LeftOut(f"the column {column!r}", "it does not contain classes"))
    return Labels({}, (), None, (*left_out, *_unused(features, others)))


def _read_column(
    parts: Mapping[str, Sequence[Part]], column: str
) -> tuple[dict[str, NDArray[np.int64]], tuple[str, ...]]:
    """Returns a column as classes; nothing if it has others than words and integers.

    The classes of a ClassLabel keep its order; files may number them differently.
    """
    from datasets import ClassLabel

    order: dict[str, None] = {}
    values: dict[str, list[str | None]] = {}
    for split, files in parts.items():
        values[split] = []
        for part in files:
            if column not in part.features:
                return {}, ()
            cells, feature = part.read(column), part.features[column]
            if isinstance(feature, ClassLabel):
                labels: list[str | None] | None = class_labels(cells, feature.names)
                order |= dict.fromkeys(feature.names)
            else:
                labels = as_labels(cells)
            if labels is None:
                return {}, ()
            values[split] += labels
    if order:
        order |= dict.fromkeys(v for c in values.values() for v in c if v is not None)
        return in_order(values, tuple(order)), tuple(order)
    return numbered(values)


def _unused(features: Mapping[str, Any], columns: Sequence[str]) -> list[LeftOut]:
    images = [column for column in columns if column in image_columns(features)]
    others = [column for column in columns if column not in images]
    parts = []
    for group, why in (
        (images, "images of another column are used"),
        (others, "neither images nor labels"),
    ):
        if group:
            more = f" and {len(group) - 5} more" if len(group) > 5 else ""
            word = "columns" if len(group) > 1 else "column"
            parts.append(LeftOut(f"the {word} {', '.join(group[:5])}{more}", why))
    return parts
