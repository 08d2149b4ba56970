"""The source that ``data.source`` names."""

from __future__ import annotations

from pathlib import Path

import pytest
from numbered import (
    make_folder,
    opened,
)

from zoo.errors import UsageError


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("digts", r"'digts', which is neither .* did you mean 'digits'\?"),
        ("fashion-mnist", r"did you mean 'fashion_mnist'\?"),
        ("./nowhere", r"'\./nowhere': there is no such file or folder"),
        ("nowhere/", r"there is no such file or folder"),
        ("some/deep/folder", r"there is no such file or folder"),
        ("faces.npz", r"'faces\.npz': there is no such file or folder"),
        ("~nobody-here/x", r"there is no such|cannot be a path"),
        ("bad\0name", r"cannot be a path|neither"),
        (__file__, r"has an unknown format: data\.source must be"),
    ],
)
def test_an_unknown_source_is_an_error_with_the_nearest_name(source: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        opened(source)


def test_an_existing_folder_wins_over_a_known_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_folder(tmp_path, {".": 2}).rename(tmp_path / "mnist")
    monkeypatch.chdir(tmp_path)
    data = opened("mnist")
    assert len(data.splits["train"]) == 2
    assert data.notes == ("'mnist' is the local folder of that name, not the known dataset.",)
    assert opened(".", size=8).name == tmp_path.name
