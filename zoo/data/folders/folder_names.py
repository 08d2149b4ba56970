"""Names of folders that state a split, or masks and annotations."""

from __future__ import annotations

import re
from collections.abc import Collection

from zoo.data.splits import ALIASES

_SPLITS = {**ALIASES, "dev": "validation", "eval": "test", "evaluation": "test"}

_GENERIC_WORDS = (
    "set sets data dataset datasets folder folders split splits part parts shard file files sample "
    "samples image images img imgs pic pics photo photos jpegimages jpeg jpg png "
    "rgb color gray input inputs original originals raw full small large resized cropped clean "
    "augmented aug labeled labelled new final seg a b x hr lr"
)
_GENERIC = frozenset(_GENERIC_WORDS.split())
"""Words that say nothing about the content of a folder of images."""

_CLASS_LIKE = frozenset({"mask", "masks", "label", "labels"})
_MASK_WORDS = (
    "annotation annotations annot annots groundtruth gt segmentation segmentations "
    "segmentationclass segmentationobject labelmap labelmaps trimap trimaps"
)
_NEVER_CLASSES = frozenset(_MASK_WORDS.split())
_MASK_FILE = re.compile(
    r"(?P<stem>.+?)[-_ ](mask|masks|gt|seg|segmentation|annotation|labelids)(_?\d+)?", re.IGNORECASE
)


def words(name: str) -> list[str]:
    """Returns the words of a name in lower case: ``trainingSet-1`` is training, set."""
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
    text = re.sub(r"ground[-_ ]truth", "groundtruth", text)
    text = re.sub(r"segmentation[-_ ](class|object)", r"segmentation\1", text)
    text = re.sub(
        r"(?<![a-z])(train|training|valid|validation|val|test|testing)"
        r"(set|sets|data|images|imgs|annot|labels|masks|[ab])(?![a-z])",
        r"\1 \2",
        text,
    )
    return re.findall(r"[^\W\d_]+", text)


def split_of(name: str) -> tuple[str, frozenset[str]] | None:
    """Returns the split that a folder's name states, and its other words.

    None for a name without the word of a split, and for one with the words of two.
    """
    parts = words(name)
    splits = {_SPLITS[word] for word in parts if word in _SPLITS}
    if len(splits) != 1:
        return None
    return splits.pop(), frozenset(set(parts) - _SPLITS.keys())


def is_split(name: str) -> bool:
    """Whether a name states a split and nothing else: ``train``, ``test_set``, ``val2017``."""
    named = split_of(name)
    return named is not None and named[1] <= _GENERIC


def is_generic(name: str) -> bool:
    """Whether a name says no more than that there are images."""
    parts = frozenset(words(name))
    return bool(parts) and parts <= _GENERIC


def names_masks(name: str) -> bool:
    """Whether a name states masks or annotations and, besides, at most a split."""
    parts = frozenset(words(name))
    masks = _NEVER_CLASSES | _CLASS_LIKE
    return bool(parts & masks) and parts <= masks | _GENERIC | _SPLITS.keys()


def is_never_class(name: str) -> bool:
    """Whether a name of masks cannot be that of a class: ``ground_truth``, ``train_masks``."""
    return bool(frozenset(words(name)) & (_NEVER_CLASSES | _SPLITS.keys()))


def masked_stem(stem: str) -> str | None:
    """Returns the name of the image that a file ``x_mask`` belongs to, None for other names."""
    match = _MASK_FILE.fullmatch(stem)
    return match["stem"] if match else None


def splits_stated(names: Collection[str]) -> set[str]:
    """Returns the splits that are words of ``names``."""
    return {named[0] for name in names if (named := split_of(name)) is not None}


def split_folders(names: Collection[str], every: bool = False) -> dict[str, str]:
    """Returns the split of each name that states one.

    Names with other words count if they state different splits and share these words, as in
    ``DIV2K_train_HR`` and ``DIV2K_valid_HR``; with ``every``, also where no name is a split alone.
    """
    stated = {name: named for name in names if (named := split_of(name)) is not None}
    plain = {name: named[0] for name, named in stated.items() if named[1] <= _GENERIC}
    shared = len({rest - _GENERIC for _, rest in stated.values()}) == 1
    if (shared and len(splits_stated(names)) > 1) or (every and not plain):
        return {name: split for name, (split, _) in stated.items()}
    return plain
