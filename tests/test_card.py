"""A run's card: what trained it, for how long and from which seed; runs of before it was kept."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

import zoo
from zoo.folder import read_metrics
from zoo.hardware import hardware, hardware_text


def facts(folder: Path) -> dict[str, str]:
    """The first table of a card, by its first column."""
    text = (folder / "README.md").read_text("utf-8")
    return dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", text, re.MULTILINE))


def test_a_card_says_time_speed_hardware_threads_seed_and_versions(trained: zoo.Run) -> None:
    stored = json.loads((trained.path / "config.json").read_text("utf-8"))
    found, last = facts(trained.path), read_metrics(trained.path)[-1]
    assert stored["hardware"] == hardware(torch.device("cpu"))
    assert found["trained on"] == hardware_text(stored["hardware"])
    assert found["trained on"].endswith("1 thread")  # conftest asks for it
    assert found["training time"] == f"{last['seconds'] / 60:.1f} minutes"
    seen = last["step"] * 32  # the preset's batches
    assert float(found["pictures a second"].replace(",", "")) == pytest.approx(
        seen / last["seconds"], rel=0.01
    )
    assert found["seed"] == "0"
    assert found["genzoo, torch, Python"] == ", ".join(stored["versions"].values())


def test_a_run_without_hardware_loads_and_gets_a_card_that_says_nothing_of_it(
    trained_copy: Path,
) -> None:
    path = trained_copy / "config.json"
    stored = json.loads(path.read_text("utf-8"))
    del stored["hardware"]
    path.write_text(json.dumps(stored), "utf-8")
    zoo.load(trained_copy).write_card()
    assert "trained on" not in facts(trained_copy)
    assert facts(trained_copy)["seed"] == "0"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "A CPU, 2 cores; 1 thread"),
        ({"cores": 1, "threads": 3, "processes": 2}, "A CPU, 1 core; 2 processes of 3 threads"),
        ({"device": "cuda"}, "A CPU"),
        ({"device": "cuda", "processes": 4}, "4 x A CPU"),
    ],
)
def test_hardware_in_words(changes: dict[str, object], text: str) -> None:
    one = {"device": "cpu", "name": "A CPU", "cores": 2, "threads": 1, "processes": 1}
    assert hardware_text(one | changes) == text
    assert hardware_text({}) == ""
