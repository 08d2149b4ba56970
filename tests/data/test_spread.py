"""Subsets that stand for a split."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.data import ResidentSplit
from zoo.data.spread import spread_by_class, spread_split


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(-1, 5), max_size=200), st.integers(1, 250))
def test_every_class_has_its_share(labels: list[int], maximum: int) -> None:
    array = np.array(labels, dtype=np.int64)
    indices = spread_by_class(array, maximum)
    count = min(len(labels), maximum)
    assert len(indices) == count
    assert (np.diff(indices) > 0).all()
    for label in set(labels):
        share = count * labels.count(label) / len(labels)
        assert abs((array[indices] == label).sum() - share) < 1


def test_class_folders_and_labels_in_turn_are_covered_in_order() -> None:
    folders = np.repeat(np.arange(10), 60)
    assert np.bincount(folders[spread_by_class(folders, 50)]).tolist() == [5] * 10
    in_turn = np.arange(1000) % 10
    assert np.bincount(in_turn[spread_by_class(in_turn, 100)]).tolist() == [10] * 10
    unlabeled = np.full(1000, -1)
    gaps = np.diff(spread_by_class(unlabeled, 10))
    assert gaps.tolist() == [100] * 9


def test_a_split_that_is_small_enough_is_itself() -> None:
    split = ResidentSplit(np.zeros((6, 1, 2, 2), np.uint8), np.arange(6))
    assert spread_split(split, None)[0] is split
    assert spread_split(split, 6)[0] is split
    subset, indices = spread_split(split, 3)
    assert subset.labels.tolist() == indices.tolist() == [1, 3, 5]
