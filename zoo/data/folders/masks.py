"""Masks and annotations among the files of a dataset: left out, never trained on."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from zoo.data.folders.folder_names import (
    is_generic,
    is_never_class,
    is_split,
    masked_stem,
    names_masks,
)
from zoo.data.source import LeftOut
from zoo.errors import ZooError

_WHY = "masks or annotations by its name; to train on it, name it as data.source"


def without_masks(
    name: str, files: Sequence[str], decided: bool
) -> tuple[list[str], list[LeftOut]]:
    """Returns the files of the dataset ``name`` that are not masks or annotations.

    Folders such as ``ground_truth`` are left out wherever they are, ``masks`` beside splits or
    folders with names like ``images``, and files ``x_mask.png`` beside ``x.png``. Raises ZooError
    for a folder ``masks`` beside classes, unless the layout is ``decided``: then it is a class.
    """
    masks = _mask_folders(name, {posixpath.dirname(file) for file in files}, decided)
    kept: list[str] = []
    counts = dict.fromkeys(sorted(masks), 0)
    for file in files:
        folder = next((mask for mask in masks if file.startswith(f"{mask}/")), None)
        if folder is None:
            kept.append(file)
        else:
            counts[folder] += 1
    if not kept:
        return list(files), []
    left_out = [
        LeftOut(f"the folder {folder} ({count:,} file{'s' * (count > 1)})", _WHY)
        for folder, count in counts.items()
    ]
    return _without_mask_files(kept, left_out)


def _mask_folders(name: str, folders: Iterable[str], decided: bool) -> list[str]:
    """Returns the outermost of ``folders`` and their parents that hold masks."""
    children = defaultdict[str, set[str]](set)
    for folder in folders:
        while folder:
            parent, child = posixpath.split(folder)
            children[parent].add(child)
            folder = parent
    masks: list[str] = []
    for parent, siblings in sorted(children.items()):
        if f"{parent}/".startswith(tuple(f"{mask}/" for mask in masks)):
            continue
        masks += (
            posixpath.join(parent, folder)
            for folder in sorted(siblings)
            if _holds_masks(name, parent, folder, siblings, decided)
        )
    return masks


def _holds_masks(
    name: str, parent: str, folder: str, siblings: Iterable[str], decided: bool
) -> bool:
    if not names_masks(folder):
        return False
    if is_never_class(folder):
        return True
    if re.search(r"\d", folder):  # label_0, label_1
        return False
    others = [other for other in sorted(siblings) if not names_masks(other)]
    if all(is_split(other) or is_generic(other) for other in others):
        return True
    if not decided:
        layout = "splits" if is_split(parent.split("/")[0]) else "classes"
        raise ZooError(
            f"{name} has the folder {f'{parent}/{folder}'.lstrip('/')!r} beside {others[0]!r}: "
            f"with --set data.layout={layout} it is a class; if it holds masks, move it away"
        )
    return False


def _without_mask_files(
    files: list[str], left_out: list[LeftOut]
) -> tuple[list[str], list[LeftOut]]:
    stems = {posixpath.splitext(file)[0] for file in files}
    masks = [
        file
        for file in files
        if "_" in file or "-" in file or " " in file
        if (stem := masked_stem(posixpath.splitext(file)[0])) is not None and stem in stems
    ]
    if not masks:
        return files, left_out
    what = f"{len(masks):,} files" if len(masks) > 1 else "the file"
    first = f"{what} like {masks[0]}" if len(masks) > 1 else f"{what} {masks[0]}"
    left_out.append(LeftOut(first, "masks of images beside them, by their names"))
    removed = set(masks)
    return [file for file in files if file not in removed], left_out
