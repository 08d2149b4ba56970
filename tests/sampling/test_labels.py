"""Labels of samples: names, integers, arrays of both, and the errors for others."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch

from zoo.errors import UsageError
from zoo.sampling.labels import Indices, choose
from zoo.sampling.names import in_natural_order, listed

ANIMALS = ("cat", "dog", "eel")
ODD = ("3", "5", "7")


def chosen(labels: Any, names: tuple[str, ...], classes: int | None = None, n: int = 3) -> list:
    found = choose(n, labels, len(names) if classes is None else classes, "glow", names)
    assert found is not None
    assert found.dtype == np.int64
    return found.tolist()


@pytest.mark.parametrize(
    ("labels", "names", "indices"),
    [
        ("dog", ANIMALS, [1, 1, 1]),
        (["eel", "cat", "dog"], ANIMALS, [2, 0, 1]),
        (np.array(["eel", "cat", "cat"]), ANIMALS, [2, 0, 0]),
        (("dog",), ANIMALS, [1, 1, 1]),
        (2, ANIMALS, [2, 2, 2]),
        (["eel", 0, 1], ANIMALS, [2, 0, 1]),
        (torch.tensor([2, 0, 1]), ANIMALS, [2, 0, 1]),
        (None, ANIMALS, [0, 1, 2]),
        ("5", ODD, [1, 1, 1]),
        (5, ODD, [1, 1, 1]),
        ([7, "3", 5], ODD, [2, 0, 1]),
        (np.array([7, 3, 5]), ODD, [2, 0, 1]),
        (torch.tensor(7), ODD, [2, 2, 2]),
        (np.int32(3), ODD, [0, 0, 0]),
        (2, ("10", "2", "9"), [1, 1, 1]),  # the order of a ClassLabel
        (7, ("05", "07"), [1, 1, 1]),
        (Indices(np.array([2, 0, 1])), ODD, [2, 0, 1]),
        (b"dog", ANIMALS, [1, 1, 1]),
        (2.0, ANIMALS, [2, 2, 2]),
        (True, ("False", "True"), [1, 1, 1]),
    ],
)
def test_labels_are_names_and_integers(
    labels: Any, names: tuple[str, ...], indices: list[int]
) -> None:
    assert chosen(labels, names) == indices


@pytest.mark.parametrize(("labels", "index"), [(1, 1), ("1", 1), ([1, 2, 0], None)])
def test_without_names_labels_are_indices(labels: Any, index: int | None) -> None:
    expected = [1, 2, 0] if index is None else [index] * 3
    assert chosen(labels, (), classes=3) == expected


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        ("dgo", ANIMALS, "there is no class 'dgo' among cat, dog, eel: did you mean 'dog'?"),
        ("Q", ANIMALS, "there is no class 'Q' among cat, dog, eel"),
        ("1", ANIMALS, "there is no class '1' among cat, dog, eel"),
        (3, ANIMALS, "there is no class 3 among cat, dog, eel"),
        (-1, ANIMALS, "there is no class -1 among cat, dog, eel"),
        (1, ODD, "there is no class 1 among 3, 5, 7"),
        (7, ("007", "07"), "there is no class 7 among 007, 07"),
        (
            "x",
            tuple(map(str, range(100))),
            "there is no class 'x' among 0, 1, 2, 3, 4, 5, 6, 7, ..., 99 (100 classes)",
        ),
        ("cat", (), "this glow was trained before runs kept class names: the label must be an"),
        (3, (), "labels must be from 0 to 2, got 3"),
        (1.5, ANIMALS, "labels must be names of classes or integers, got 1.5"),
        ([["cat"]], ANIMALS, "labels must be names of classes or integers, got ['cat']"),
        (object, ANIMALS, "labels must be names of classes or integers, got <class 'object'>"),
        (["cat", "dog"], ANIMALS, "labels must be one class, or one for each of 3, got 2"),
        (Indices(np.array([0, 3, 1])), ANIMALS, "labels must be from 0 to 2, got 3"),
        (Indices(np.array([0, -1, 1])), ANIMALS, "labels must be from 0 to 2, got -1"),
    ],
)
def test_other_labels_are_refused(labels: Any, names: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=f"^{re.escape(message)}"):
        chosen(labels, names, classes=len(names) or 3)


def test_an_unconditional_model_takes_no_labels() -> None:
    assert choose(2, None, 0, "nice", ()) is None
    with pytest.raises(UsageError, match="this nice is unconditional: it takes no labels"):
        choose(2, "cat", 0, "nice", ())


def test_integers_are_in_the_order_of_their_values() -> None:
    assert in_natural_order({"10", "9", "-3"}) == ("-3", "9", "10")
    assert in_natural_order({"10", "9", "x"}) == ("10", "9", "x")
    assert in_natural_order({"9" * 5000, "10"}) == ("10", "9" * 5000)


def test_a_list_of_names_is_one_short_line() -> None:
    assert listed(["a\nb", "c" * 99]) == f"'a\\nb', '{'c' * 39}"
