"""Names of data: paths, known names and datasets on the Hub."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.data import names
from zoo.errors import UsageError


@pytest.mark.parametrize(
    ("source", "origin"),
    [
        ("digits", names.Origin(None, license="CC BY 4.0")),
        ("mnist", names.Origin("ylecun/mnist", license="MIT")),
        ("me/birds@v1:small", names.Origin("me/birds", "small", "v1")),
        ("birds", None),
        ("./birds", None),
        ("me/birds.npz", None),
    ],
)
def test_origin_of_a_name(source: str, origin: names.Origin | None) -> None:
    assert names.origin(source) == origin


def test_a_run_stores_the_last_component_of_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some.birds").mkdir()
    (tmp_path / "some.npz").touch()
    assert names.name_of("some.birds") == "some.birds"
    assert names.name_of(str(tmp_path / "some.npz")) == "some"
    assert names.name_of("./") == tmp_path.name
    assert names.name_of("me/birds") == "me/birds"
    assert names.file_name("me/birds") == "me-birds"


def test_an_existing_path_wins_over_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert (names.is_local("digits"), names.is_local("mnist")) == (True, False)
    assert names.absolute("mnist") == "mnist"
    (tmp_path / "mnist").mkdir()
    assert names.is_local("mnist")
    assert names.absolute("mnist") == str(tmp_path.resolve() / "mnist")


def test_text_that_cannot_be_a_path_is_one_error() -> None:
    with pytest.raises(UsageError, match="cannot be a path or a name of data"):
        names.name_of("~nobody-here/x")
