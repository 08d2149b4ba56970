"""Additional logs of a run: one that cannot be kept is refused before anything is written."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

import zoo
from zoo.errors import UsageError
from zoo.training import tracking


@pytest.fixture
def without_tensorboard(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(tracking, "distribution", missing)


@pytest.mark.usefixtures("without_tensorboard")
@pytest.mark.parametrize("more", [(), ("--processes", "2"), ("--resume", "--out", "run")])
def test_a_log_that_is_not_installed_is_refused_before_anything_is_written(
    here: Path, commands, more: tuple[str, ...]
) -> None:
    (here / "tensorboard").mkdir()  # a folder of that name is not the package
    sentence = commands.fails(1, "train", "glow", "--steps", "1", "--track", "tensorboard", *more)
    assert sentence.startswith("--track tensorboard: tensorboard is not installed: pip install")
    assert [path.name for path in here.iterdir()] == ["tensorboard"]


def test_an_unknown_log_is_refused(here: Path) -> None:
    with pytest.raises(UsageError, match="'wandb' is not a supported log: use tensorboard"):
        zoo.train("glow", steps=1, track="wandb", quiet=True)
    assert list(here.iterdir()) == []
