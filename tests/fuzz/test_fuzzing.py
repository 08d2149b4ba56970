"""Hostile files, settings and command lines end in a sentence; the counts are printed."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import fuzz_commands
import fuzz_data
import fuzz_runs
import numpy as np
import pytest
from folders import contents
from fuzz_runs import Files
from fuzzing import Commands
from hypothesis import HealthCheck, Phase, given, settings
from tiny import Tiny

from zoo.api import host
from zoo.cli import main
from zoo.plugins.host import Plugin

TARGETS = {**fuzz_runs.TARGETS, **fuzz_data.TARGETS, **fuzz_commands.TARGETS}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder to work in, without network, where the models of tests are installed."""
    folder = tmp_path_factory.mktemp("fuzz")
    host.cache_clear()
    assert host().add(Plugin("tiny", "tests", "0"), Tiny()).cause is None
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        patch.setattr(socket.socket, "connect", _refused)
        patch.chdir(folder)
        yield folder
    host.cache_clear()


def _refused(*_: object) -> None:
    raise ConnectionRefusedError("the tests have no network")


@pytest.fixture(scope="module")
def files(place: Path) -> Files:
    """Two runs and their data, made once."""
    generator, labels = np.random.default_rng(0), np.array(["cat", "dog"] * 12)
    images = generator.integers(0, 256, (32, 4, 4), dtype=np.uint8)
    made = place / "made"
    made.mkdir()
    os.chdir(made)
    np.savez(
        "data.npz", train_images=images[:24], train_labels=labels, test_images=images[24:],
        test_labels=labels[:8],
    )  # fmt: skip
    train = ["train", "tiny", "--data", "data.npz", "--steps", "2", "--set", "batch_size=4"]
    assert main([*train, "--set", "training.log_every=1", "--out", "run", "--device", "cpu"]) == 0
    assert main(["evaluate", "run", "--metric", "bits_per_dim", "--device", "cpu"]) == 0
    assert main(["card", "run", "--license", "mit"]) == 0
    shutil.copytree("run", "other")
    assert main(["export", "run"]) == 0
    (made / "run/checkpoints/.lock").unlink()
    return {name: data for name, data in contents(made).items() if data is not None}


@pytest.fixture(scope="module")
def commands(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Commands:
    return Commands(place / "here", [tmp_path_factory.getbasetemp()])


def check(
    target: str, cases: int, files: Files, commands: Commands, count: Callable[[str], None]
) -> None:
    """Runs ``cases`` of a target and counts their exit statuses."""
    commands.counts.clear()

    @settings(
        max_examples=cases,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[*HealthCheck],
        phases=[Phase.generate, Phase.shrink],
    )
    @given(TARGETS[target][1](files))
    def holds(case: fuzz_runs.Case) -> None:
        commands(*case)

    holds()
    counts = ", ".join(f"{ends} exit {code}" for code, ends in sorted(commands.counts.items()))
    count(f"{target}: {commands.counts.total()} cases, {counts}")
    assert commands.counts.total() >= cases


def test_there_are_ten_thousand_cases() -> None:
    assert sum(cases for cases, _ in TARGETS.values()) >= 10_000


@pytest.mark.parametrize("target", TARGETS)
def test_a_few_of_them_end_in_a_sentence(
    target: str, files: Files, commands: Commands, count: Callable[[str], None]
) -> None:
    check(target, TARGETS[target][0] // 20, files, commands, count)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_all_of_them_end_in_a_sentence(
    target: str, files: Files, commands: Commands, count: Callable[[str], None]
) -> None:
    check(target, TARGETS[target][0], files, commands, count)
