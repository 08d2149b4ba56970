"""Datasets on the Hub, with a stand-in for the builder of ``datasets``."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from numbered import (
    make_parquet,
    numbered_image,
    numbers,
    opened,
    png,
)

from zoo.config.sections import DataConfig
from zoo.data.find import find_source
from zoo.errors import ZooError


def builder(tables: Any, files: Any = None) -> Any:
    """A stand-in for the builder of a dataset that has ``tables`` by split, read from ``files``."""
    return SimpleNamespace(
        config=SimpleNamespace(data_files=files),
        download_and_prepare=lambda: None,
        as_dataset=lambda: tables,
        _split_generators=lambda downloads: [],
    )


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[Any, ...]]:
    """Returns the calls of ``load_dataset_builder``, each answered with a local folder."""
    import datasets

    calls: list[tuple[Any, ...]] = []
    real = datasets.load_dataset
    folder = make_parquet(tmp_path, {"train": 5, "test": 2})

    def load_dataset_builder(path: str, name: str | None = None, **options: Any) -> Any:
        calls.append((path, name, options))
        files = {split: str(next(folder.rglob(f"{split}*"))) for split in ("train", "test")}
        return builder(real("parquet", data_files=files))

    monkeypatch.setattr(datasets, "load_dataset_builder", load_dataset_builder)
    return calls


@pytest.mark.parametrize(
    ("source", "call"),
    [
        ("mnist", ("ylecun/mnist", None, {"revision": None})),
        ("svhn", ("ufldl-stanford/svhn", "cropped_digits", {"revision": None})),
        ("me/birds", ("me/birds", None, {"revision": None})),
        ("me/birds@v1:small", ("me/birds", "small", {"revision": "v1"})),
    ],
)
def test_a_source_becomes_a_call_of_load_dataset_builder(
    source: str, call: tuple[Any, ...], hub: list[tuple[Any, ...]]
) -> None:
    data = opened(source)
    assert hub == [call]
    splits = numbers(data)
    assert splits["test"] == [5, 6]
    assert sorted(splits["train"] + splits["validation"]) == [0, 1, 2, 3, 4]
    assert data.name == source
    assert data.license == {"mnist": "MIT", "svhn": "non-commercial use only"}.get(source)


def test_other_names_of_splits(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    table = datasets.Dataset.from_dict({"image": [png(numbered_image(1)), b"junk"]})
    good, bad = table.select([0]), table
    monkeypatch.setattr(
        datasets,
        "load_dataset_builder",
        lambda *_, **__: builder({"training": good, "valid": good, "extra": good, "test": bad}),
    )
    with pytest.raises(ZooError, match=r"^row 1 of the split 'test' of a/b is not an image"):
        opened("a/b")
    tables = {"training": good, "valid": good, "extra": good}
    monkeypatch.setattr(datasets, "load_dataset_builder", lambda *_, **__: builder(tables))
    source = find_source(DataConfig(source="a/b"))
    assert [(part.what, part.why) for part in source.left_out] == [
        ("the split 'extra' (1 image)", "not train, validation or test")
    ]
    assert (source.kind, source.column) == ("a dataset on the Hub", "image")
    data = opened("a/b")
    assert len(data.splits["validation"]) == 1
    tables = {"x": good, "y": good}
    monkeypatch.setattr(datasets, "load_dataset_builder", lambda *_, **__: builder(tables))
    with pytest.raises(ZooError, match="a/b has no split 'train', only x, y"):
        opened("a/b")


@pytest.mark.parametrize(
    "file",
    [
        "/etc/images/0.png",
        "file:///etc/images/0.png",
        "https://example.org/0.png",
        "hf://datasets/a/private@main/0.png",
        "hf://datasets/a/b@main",
        "zip://0.png::/etc/images.zip",
        "hf://datasets/a/b@main/x::/etc/images.zip",
    ],
)
def test_files_are_those_of_the_repository(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    stand_in = builder({}, {"train": ["hf://datasets/a/b@main/0.png", file]})
    monkeypatch.setattr(datasets, "load_dataset_builder", lambda *_, **__: stand_in)
    with pytest.raises(ZooError, match=r"^a/b names the file '.*', which is not its own"):
        opened("a/b")


def hub_errors() -> list[Any]:
    from datasets.exceptions import DatasetNotFoundError

    missing = DatasetNotFoundError("Dataset 'a/b' doesn't exist on the Hub or cannot be accessed.")
    gated = DatasetNotFoundError("Dataset 'a/b' is a gated dataset on the Hub.\nAsk.")
    configs = ValueError(
        "Config name is missing.\nPlease pick one among the available configs: ['x', 'y']\nSo"
    )
    return [
        (ConnectionError("Couldn't reach"), r"'a/b', and a/b cannot be downloaded.*check the ne"),
        (missing, r"no file or folder 'a/b', and a/b is not on the Hub, or is private"),
        (gated, r"a/b is gated on the Hub: request access on its page, and set HF_TOKEN"),
        (configs, r"needs one of its configurations, x, y: .* for example a/b:x"),
        (RuntimeError("Dataset scripts are no longer supported, but found b.py"), r"scripts are"),
    ]


@pytest.mark.parametrize("case", range(5))
def test_a_failure_is_one_sentence_with_the_fix(case: int, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets
    from huggingface_hub import constants

    error, message = hub_errors()[case]

    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(datasets, "load_dataset_builder", fail)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with pytest.raises(ZooError, match=message) as caught:
        opened("a/b")
    assert "\n" not in str(caught.value)
    if case == 0:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        with pytest.raises(ZooError, match=r"^mnist \(ylecun/mnist\) is not in the cache.*unset"):
            opened("mnist")
