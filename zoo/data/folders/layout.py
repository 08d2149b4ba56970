"""The meaning of the folders of a dataset: splits, classes, or none.

``data.layout`` decides where it is set. Otherwise folders named after splits are splits, others are
classes, and names that allow another reading are an error that names both.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from zoo.data.folders import layout_checks
from zoo.data.folders.folder_names import is_generic, is_split, split_folders
from zoo.data.folders.listing import counted
from zoo.data.source import LeftOut
from zoo.data.splits import ALIASES
from zoo.errors import ZooError

Layout: TypeAlias = Literal["images", "classes", "splits"]


@dataclass(frozen=True)
class File:
    """The path of a file in a dataset, and the folders that it is in below some folder."""

    path: str
    folders: tuple[str, ...]

    def below(self) -> File:
        return replace(self, folders=self.folders[1:])


@dataclass(frozen=True)
class Reading:
    """Paths by split, each with the name of its class, None for none."""

    layout: Layout
    kind: str
    splits: Mapping[str, Sequence[tuple[str, str | None]]]
    notes: list[str] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


def read_layout(
    name: str, paths: Sequence[str], layout: Layout | None = None, labeled: bool = False
) -> Reading:
    """Returns what the folders in ``paths``, of the dataset ``name``, mean.

    With ``labeled``, labels come from elsewhere and folders are not classes. Raises ZooError for
    names that allow several readings, unless ``layout`` decides.
    """
    files, wrapper = _unwrapped([File(path, tuple(path.split("/")[:-1])) for path in paths])
    where = f"{name}/{wrapper}" if wrapper else name
    loose = [file.path for file in files if not file.folders]
    folders = Counter(file.folders[0] for file in files if file.folders)
    splits = {}
    if layout is None:
        splits = layout_checks.find_splits(where, folders, loose)
    elif layout == "splits":
        splits = split_folders(folders, every=True)
        if not splits:
            raise ZooError(
                f"data.layout is splits and no folder in {where} is named after one: use train, "
                "validation or test"
            )
    if splits:
        reading = _splits(where, files, splits, layout is None, labeled)
    elif layout == "classes" or (layout is None and not labeled and _are_classes(folders, loose)):
        reading = _classes(where, files, layout is None)
    else:
        reading = _images(where, files, layout is None, labeled)
    if wrapper and reading.layout != "images":
        reading.notes.insert(0, f"{wrapper} holds all images, so its folders count.")
    return reading


def _unwrapped(files: list[File]) -> tuple[list[File], str]:
    """Removes leading folders that hold everything, down to the last that has only folders."""
    wrapper: list[str] = []
    while len(tops := {file.folders[:1] for file in files}) == 1 and all(
        len(file.folders) > 1 for file in files
    ):
        ((top,),) = tops
        children = {file.folders[1] for file in files}
        if is_split(top) and not (len(children) > 1 and all(map(is_split, children))):
            break
        wrapper.append(top)
        files = [file.below() for file in files]
    return files, "/".join(wrapper)


def _are_classes(folders: Collection[str], loose: Collection[str]) -> bool:
    return bool(folders) and not loose and not (len(folders) == 1 and all(map(is_generic, folders)))


def _images(where: str, files: list[File], found: bool, labeled: bool) -> Reading:
    if found:
        layout_checks.check_deeper(where, [file.folders[1:] for file in files], "images")
    reading = Reading("images", "a folder of images", {"train": [(f.path, None) for f in files]})
    loose = [file.path for file in files if not file.folders]
    if found and not labeled and 0 < len(loose) < len(files):
        reading.notes.append(
            f"Labels were left out: {counted(loose, 'image', 'images')} outside the class folders; "
            "--set data.layout=classes leaves out such images instead."
        )
    return reading


def _classes(where: str, files: list[File], found: bool) -> Reading:
    loose = [file.path for file in files if not file.folders]
    files = [file for file in files if file.folders]
    if not files:
        raise ZooError(f"data.layout is classes and {where} has no folders: sort images into them")
    by_split = defaultdict[str, list[tuple[str, str | None]]](list)
    inner = _splits_in_classes(files)
    for file in files:
        split = inner[file.folders[1]] if inner else "train"
        by_split[split].append((file.path, file.folders[0]))
    kind = "a folder of class folders" + (" with splits" if inner else "")
    reading = Reading("classes", kind, by_split)
    depth = 2 if inner else 1
    if found:
        if inner:
            layout_checks.check_folds(where, {file.folders[0] for file in files})
        layout_checks.check_deeper(where, [file.folders[depth:] for file in files], "classes")
    if inner:
        names = " and ".join(sorted(inner))
        reading.notes.append(f"The folders {names} inside the class folders are splits.")
    _note_nested(reading, [file for file in files if len(file.folders) > depth], depth)
    if loose:
        reading.left_out.append(
            LeftOut(counted(loose, "image", "images"), "outside the class folders")
        )
    return reading


def _splits_in_classes(files: Sequence[File]) -> Mapping[str, str]:
    """Returns the splits by the folders of classes, if all classes have nothing but splits."""
    names = {file.folders[1] if len(file.folders) > 1 else "" for file in files}
    inner = split_folders(names)
    complete = len(inner) == len(names) and len(set(inner.values())) == len(inner) > 1
    return inner if complete else {}


def _splits(
    where: str, files: list[File], splits: Mapping[str, str], found: bool, labeled: bool
) -> Reading:
    outside = [f.path for f in files if not (f.folders and f.folders[0] in splits)]
    inside = defaultdict[str, list[File]](list)
    for file in files:
        if file.folders and file.folders[0] in splits:
            inside[file.folders[0]].append(file.below())
    while all(len({f.folders[0] for f in part if f.folders}) == 1 for part in inside.values()) and (
        all(len(file.folders) > 1 for part in inside.values() for file in part)
    ):
        for folder, part in inside.items():
            inside[folder] = [file.below() for file in part]
    if found:
        layout_checks.check_classes(where, {k: [f.folders for f in v] for k, v in inside.items()})
        for folder, part in inside.items():
            layout_checks.check_deeper(
                f"{where}/{folder}", [file.folders[1:] for file in part], "splits"
            )
    names = {file.folders[0] for part in inside.values() for file in part if file.folders}
    labeled = labeled or (len(names) == 1 and all(map(is_generic, names)))
    by_split = defaultdict[str, list[tuple[str, str | None]]](list)
    for folder, part in inside.items():
        by_split[splits[folder]] += [
            (file.path, file.folders[0] if file.folders and not labeled else None) for file in part
        ]
    notes = [
        f"{folder} is the split {split}."
        for folder, split in splits.items()
        if folder.lower() not in ALIASES
    ]
    labeled_splits, labels_note = _labels_of_training(by_split)
    classes = any(label is not None for part in labeled_splits.values() for _, label in part)
    kind = "a folder of splits" + (" with class folders" if classes else "")
    reading = Reading("splits", kind, labeled_splits, notes + labels_note)
    if classes:
        nested = [f for part in inside.values() for f in part if len(f.folders) > 1]
        _note_nested(reading, nested, 1)
    if outside:
        reading.left_out.append(
            LeftOut(counted(outside, "image", "images"), "outside the folders of splits")
        )
    return reading


def _labels_of_training(
    by_split: dict[str, list[tuple[str, str | None]]],
) -> tuple[dict[str, list[tuple[str, str | None]]], list[str]]:
    """Returns the splits without labels where training images have none, with a note."""
    unlabeled = {
        split: [path for path, label in part if label is None] for split, part in by_split.items()
    }
    if all(len(unlabeled[split]) == len(part) for split, part in by_split.items()):
        return by_split, []
    train = "train" if "train" in by_split else next(iter(by_split))
    if missing := unlabeled[train]:
        note = f"Labels were left out: {counted(missing, 'image', 'images')} outside class folders."
        return {s: [(path, None) for path, _ in part] for s, part in by_split.items()}, [note]
    return by_split, [
        f"Without a label: {counted(missing, 'image', 'images')} of the split {split}, outside "
        "class folders."
        for split, missing in unlabeled.items()
        if missing
    ]


def _note_nested(reading: Reading, nested: Sequence[File], depth: int) -> None:
    if nested:
        first = "/".join((*nested[0].folders[: depth + 1],))
        reading.notes.append(f"Folders inside the class folders have no meaning, such as {first}.")
