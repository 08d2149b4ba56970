"""The rule of missing splits: the lowest hashes of each class, up to 1 in 20."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.data.division import MISSING_SPLITS, by_hash, duplicate_notes

NAMES = tuple("abcdefghij")


def hash_of(number: int) -> bytes:
    return number.to_bytes(16, "big")


def divided(
    images: Sequence[int],
    labels: Sequence[int] | None = None,
    missing: Sequence[str] = MISSING_SPLITS,
    seed: int = 0,
    names: Sequence[str] = NAMES,
) -> list[str]:
    """Returns the split of each image; equal numbers are equal images."""
    labels = [-1] * len(images) if labels is None else labels
    chosen = by_hash(list(map(hash_of, images)), np.array(labels), names, missing, seed)
    splits = ["train"] * len(images)
    for split, indices in chosen.items():
        assert (np.diff(indices) > 0).all()
        for index in indices:
            assert splits[index] == "train"
            splits[index] = split
    return splits


LABELED = st.lists(st.tuples(st.integers(0, 400), st.integers(-1, 9)), min_size=1, max_size=300)


@settings(max_examples=60, deadline=None)
@given(LABELED, st.randoms(use_true_random=False), st.integers(0, 2**32 - 1))
def test_membership_does_not_depend_on_the_order(items, random, seed) -> None:
    labels = dict(items)  # one label an image, as a list may repeat images
    images = [image for image, _ in items]
    split = dict(zip(images, divided(images, [labels[i] for i in images], seed=seed), strict=True))
    random.shuffle(images)
    shuffled = divided(images, [labels[i] for i in images], seed=seed)
    assert [split[image] for image in images] == shuffled


@settings(max_examples=60, deadline=None)
@given(LABELED, st.integers(0, 3))
def test_equal_images_are_in_one_split_and_every_class_is_trained_on(items, seed) -> None:
    images, labels = zip(*items, strict=True)
    splits = divided(images, labels, seed=seed)
    by_image = dict(zip(images, splits, strict=True))
    assert [by_image[image] for image in images] == splits
    alone = {image for image, _ in set(items)} - {
        image for image in images if len({label for i, label in items if i == image}) > 1
    }
    for label in set(labels):
        if any(image in alone for image, other in items if other == label):
            assert "train" in {s for s, other in zip(splits, labels, strict=True) if other == label}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-1, 9), max_size=600, min_size=1), st.integers(0, 3))
def test_every_class_has_its_share_of_distinct_images(labels, seed) -> None:
    splits = np.array(divided(range(len(labels)), labels, seed=seed))
    for label in set(labels):
        ours = splits[np.array(labels) == label]
        for split in MISSING_SPLITS:
            count = int((ours == split).sum())
            assert abs(count - len(ours) / 20) <= 0.5 or (count == 1 and 3 <= len(ours) < 20)


@pytest.mark.parametrize(
    ("count", "chosen"),
    [(1, 0), (2, 0), (3, 1), (5, 1), (19, 1), (20, 1), (21, 1), (31, 2), (100, 5), (1000, 50)],
)
def test_small_classes(count: int, chosen: int) -> None:
    splits = divided(range(count), [0] * count)
    assert [splits.count(split) for split in MISSING_SPLITS] == [chosen, chosen]
    others = divided(range(1000, 1000 + count), [1] * count)
    together = divided([*range(count), *range(1000, 1000 + count)], [0] * count + [1] * count)
    assert together == splits + others


@pytest.mark.parametrize("classes", [1, 10])
@pytest.mark.parametrize("seed", range(3))
def test_few_images_change_their_split_when_more_are_added(classes: int, seed: int) -> None:
    images = list(range(1100))
    labels = [image % classes for image in images]
    before = divided(images[:1000], labels[:1000], seed=seed)
    after = divided(images, labels, seed=seed)[:1000]
    assert sum(map(str.__ne__, before, after)) <= 20


def test_only_missing_splits_are_chosen_and_do_not_depend_on_each_other_or_on_other_seeds() -> None:
    both, test = divided(range(1000)), divided(range(1000), missing=["test"])
    assert set(test) == {"train", "test"}
    assert [split == "test" for split in both] == [split == "test" for split in test]
    other = divided(range(1000), seed=1)
    assert sum(a == b == "test" for a, b in zip(both, other, strict=True)) < 15


def test_an_image_under_two_labels_is_in_one_split_whatever_the_order_of_the_classes() -> None:
    images = [*range(40), *range(30, 70)]
    labels = [0] * 40 + [1] * 40
    splits = divided(images, labels, names=("cat", "dog"))
    swapped = divided(images, [1 - label for label in labels], names=("dog", "cat"))
    assert splits == swapped
    assert splits[30:40] == splits[40:50] == ["train"] * 10


def test_an_image_with_many_copies_stays_in_training() -> None:
    for seed in range(20):
        splits = divided([7] * 100 + list(range(100, 200)), seed=seed)
        assert splits[:100] == ["train"] * 100
        assert [splits.count(split) for split in MISSING_SPLITS] == [5, 5]


def test_copies_do_not_empty_a_split() -> None:
    splits = divided([image for image in range(10) for _ in range(30)])
    assert [splits.count(split) for split in MISSING_SPLITS] == [30, 30]


def test_notes_count_equal_images() -> None:
    hashes = {
        "train": list(map(hash_of, [1, 2, 3, 3, 3, 4])),
        "test": list(map(hash_of, [3, 3, 5, 9])),
        "validation": list(map(hash_of, [5, 6])),
    }
    labels = {
        "train": np.array([0, 1, 2, 2, 0, -1]),
        "test": np.array([-1, -1, 4, 1]),
        "validation": np.array([3, 3]),
    }
    assert duplicate_notes(hashes, labels, divided=True) == [
        "2 of 4 test images are also in the train split of the source.",
        "1 of 4 test images is also in the validation split of the source.",
        "2 images are stored under several labels: check the labels.",
        "2 of 6 training images are copies of others: equal images are in the same split.",
    ]
    del hashes["test"], hashes["validation"]
    assert duplicate_notes(hashes, labels, divided=False) == [
        "1 image is stored under several labels: check the labels."
    ]
    once = {"train": list(map(hash_of, range(5)))}
    assert duplicate_notes(once, {"train": np.zeros(5, int)}, divided=True) == []
