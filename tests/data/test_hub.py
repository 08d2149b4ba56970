"""Data sets on the Hub, with the Hub's client stood in for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from numbered import (
    make_parquet,
    numbers,
    opened,
    picture,
    png,
)

from zoo.errors import ZooError


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[Any, ...]]:
    """A local folder stands in for every data set; the calls are kept."""
    import datasets

    calls: list[tuple[Any, ...]] = []
    real = datasets.load_dataset
    folder = make_parquet(tmp_path, {"train": 5, "test": 2})

    def load_dataset(path: str, name: str | None = None, **options: Any) -> Any:
        calls.append((path, name, options))
        files = {split: str(next(folder.rglob(f"{split}*"))) for split in ("train", "test")}
        return real("parquet", data_files=files)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    return calls


@pytest.mark.parametrize(
    ("source", "call"),
    [
        ("mnist", ("ylecun/mnist", None, {"revision": None})),
        ("svhn", ("ufldl-stanford/svhn", "cropped_digits", {"revision": None})),
        ("me/pictures", ("me/pictures", None, {"revision": None})),
        ("me/pictures@v1:small", ("me/pictures", "small", {"revision": "v1"})),
    ],
)
def test_hub_sets(source: str, call: tuple[Any, ...], hub: list[tuple[Any, ...]]) -> None:
    data = opened(source)
    assert hub == [call]
    assert numbers(data) == {"train": [0, 1, 2, 3, 4], "validation": [], "test": [5, 6]}
    assert data.name == source
    assert data.license == {"mnist": "MIT", "svhn": "non-commercial use only"}.get(source)


def test_hub_splits_of_other_names(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    table = datasets.Dataset.from_dict({"image": [png(picture(1)), b"junk"]})
    good, bad = table.select([0]), table
    monkeypatch.setattr(
        datasets,
        "load_dataset",
        lambda *_, **__: {"training": good, "valid": good, "extra": good, "test": bad},
    )
    with pytest.raises(ZooError, match=r"^row 1 of the split 'test' of a/b is no picture"):
        opened("a/b")
    tables = {"training": good, "valid": good, "extra": good}
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: tables)
    data = opened("a/b")
    assert data.notes == ("The split 'extra' was left out.",)
    assert len(data.splits["validation"]) == 1
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: {"x": good, "y": good})
    with pytest.raises(ZooError, match="a/b has no split 'train', only x, y"):
        opened("a/b")


def hub_errors() -> list[Any]:
    from datasets.exceptions import DatasetNotFoundError

    missing = DatasetNotFoundError("Dataset 'a/b' doesn't exist on the Hub or cannot be accessed.")
    gated = DatasetNotFoundError("Dataset 'a/b' is a gated dataset on the Hub.\nAsk.")
    configs = ValueError(
        "Config name is missing.\nPlease pick one among the available configs: ['x', 'y']\nSo"
    )
    return [
        (ConnectionError("Couldn't reach"), r"'a/b' here, and a/b cannot be fetched.*check the ne"),
        (missing, r"no file or folder 'a/b' here, and a/b is not on the Hub, or is private"),
        (gated, r"a/b is gated on the Hub: ask for access on its page, and set HF_TOKEN"),
        (configs, r"needs one of its configurations, x, y: .* such as a/b:x"),
        (RuntimeError("Dataset scripts are no longer supported, but found b.py"), r"scripts are"),
    ]


@pytest.mark.parametrize("case", range(5))
def test_hub_failures_are_one_sentence(case: int, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets
    from huggingface_hub import constants

    error, says = hub_errors()[case]

    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(datasets, "load_dataset", fail)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with pytest.raises(ZooError, match=says) as caught:
        opened("a/b")
    assert "\n" not in str(caught.value)
    if case == 0:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        with pytest.raises(ZooError, match=r"^mnist \(ylecun/mnist\) is not in the cache.*unset"):
            opened("mnist")
