"""Evidence against a reading of folders: errors that name both readings and the setting."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from zoo.data.folders.folder_names import is_split, split_folders, splits_stated
from zoo.data.folders.listing import counted
from zoo.errors import ZooError

STRAY = 0.1
"""The share of all images that may be outside the folders of splits without an error."""


def find_splits(where: str, folders: Mapping[str, int], loose: Sequence[str]) -> dict[str, str]:
    """Returns the split of each folder that is one, from the number of files in each.

    Raises ZooError if the names may be those of classes.
    """
    splits = split_folders(folders)
    if not splits:
        if len(splits_stated(folders)) > 1:
            raise ZooError(
                f"{where} has folders of splits and classes in one, {_listed(folders)}: with --set "
                "data.layout=classes each is a class, with data.layout=splits only the split counts"
            )
        return {}
    others = [folder for folder in folders if folder not in splits]
    outside = len(loose) + sum(folders[folder] for folder in others)
    total = len(loose) + sum(folders.values())
    if outside and (len(set(splits.values())) == 1 or outside > STRAY * total):
        beside = _listed(others) if others else counted(loose, "image", "images")
        alternative = (
            f"classes makes {_listed(splits)} {'classes' if len(splits) > 1 else 'a class'}"
            if others
            else "images gives the folders no meaning"
        )
        raise ZooError(
            f"{where} has {_listed(splits)} beside {beside}: --set data.layout=splits reads splits "
            f"and leaves out {outside:,} of {total:,} images, data.layout={alternative}"
        )
    for split in set(splits.values()):
        same = [folder for folder in splits if splits[folder] == split]
        if len(same) > 1:
            raise ZooError(
                f"{where} has several folders of the split {split}, {_listed(same)}: --set "
                "data.layout=splits joins them, data.layout=classes makes them classes"
            )
    return splits


def check_classes(where: str, splits: Mapping[str, Iterable[tuple[str, ...]]]) -> None:
    """Raises ZooError for a class named after a split that is not in all ``splits``."""
    classes = {split: {f[0] for f in folders if f} for split, folders in splits.items()}
    shared = set.intersection(*classes.values())
    for split, names in classes.items():
        for name in sorted(names):
            if is_split(name) and name not in shared:
                raise _inside(f"{where}/{split}", name, "splits")


def check_deeper(where: str, folders: Iterable[tuple[str, ...]], layout: str) -> None:
    """Raises ZooError if any of ``folders``, which have no meaning in ``layout``, is a split."""
    for name in sorted({name for path in set(folders) for name in path}):
        if is_split(name):
            raise _inside(where, name, layout)


def check_folds(where: str, classes: Collection[str]) -> None:
    """Raises ZooError if ``classes``, which have splits inside, are folds."""
    if all(re.fullmatch(r"(k?fold|split|cv|seed)s?[-_ ]?\d+", name.lower()) for name in classes):
        raise ZooError(
            f"{where} has {_listed(classes)} with splits inside: name one of them as data.source, "
            "or --set data.layout=classes to make them classes"
        )


def _inside(where: str, name: str, layout: str) -> ZooError:
    meaning = "is part of a class" if layout != "images" else "has no meaning"
    return ZooError(
        f"{where} has a folder {name!r} deeper down: if it is a split, name the folder that it is "
        f"in as data.source; with --set data.layout={layout} it {meaning}"
    )


def _listed(names: Collection[str]) -> str:
    shown = [repr(name) for name in sorted(names)[:3]]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(shown) + more
