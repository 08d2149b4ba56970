"""From the word after --data to a source."""

from __future__ import annotations

from pathlib import Path

import pytest
from numbered import (
    make_folder,
    opened,
)

from zoo.errors import UsageError


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("digts", r"'digts', which is neither .* did you mean 'digits'\?"),
        ("fashion-mnist", r"did you mean 'fashion_mnist'\?"),
        ("./nowhere", r"'\./nowhere': there is no such file or folder"),
        ("nowhere/", r"there is no such file or folder"),
        ("some/deep/folder", r"there is no such file or folder"),
        ("faces.npz", r"'faces\.npz': there is no such file or folder"),
        ("~nobody-here/x", r"there is no such|cannot be a path"),
        ("bad\0name", r"cannot be a path|neither"),
        (__file__, r"is no data that can be read: data\.source takes"),
    ],
)
def test_what_is_no_source(source: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        opened(source)


def test_a_path_wins_over_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_folder(tmp_path, {".": 2}).rename(tmp_path / "mnist")
    monkeypatch.chdir(tmp_path)
    data = opened("mnist")
    assert len(data.splits["train"]) == 2
    assert data.notes == ("'mnist' is the folder of that name here, not the data set.",)
    assert opened(".", size=8).name == tmp_path.name
