"""A run's card: what trained it, for how long and from which seed; runs of before it was kept."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch

import zoo
from zoo.data import hub
from zoo.report.card import RunFacts, front, new_card, parts, read_facts, writing
from zoo.system.console import duration
from zoo.system.hardware import hardware, hardware_text


def facts(folder: Path) -> dict[str, str]:
    """The first table of a card, by its first column."""
    text = (folder / "README.md").read_text("utf-8")
    return dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", text, re.MULTILINE))


def test_a_card_says_time_speed_hardware_threads_seed_and_versions(trained: zoo.Run) -> None:
    stored = json.loads((trained.path / "config.json").read_text("utf-8"))
    found, last = facts(trained.path), trained.folder.read_metrics()[-1]
    assert stored["hardware"] == hardware(torch.device("cpu"))
    assert found["trained on"] == hardware_text(stored["hardware"])
    assert found["trained on"].endswith("1 thread")  # conftest asks for it
    assert found["training time"] == duration(last["seconds"])
    seen = last["step"] * 32  # the preset's batches
    assert float(found["pictures a second"].replace(",", "")) == pytest.approx(
        seen / last["seconds"], rel=0.01
    )
    facts_kept = stored["facts"]
    assert facts_kept["parameters"] == sum(p.numel() for p in trained.network.parameters())
    assert found["parameters"] == f"{facts_kept['parameters']:,}"
    assert facts_kept["latent"] == {"size": 64, "distribution": "normal", "classes": 0}
    assert found["licence of the data"] == facts_kept["data_licence"] == "CC BY 4.0"
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


def test_a_file_that_is_called_like_a_data_set_is_not_it(here: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (40, 8, 8), np.uint8)
    np.savez("mnist.npz", images=pictures)
    run = zoo.train(
        "nice", data="mnist.npz", steps=1, config={"width": 4}, device="cpu", quiet=True
    )
    assert {"dataset", "data_licence"}.isdisjoint(
        json.loads((run.path / "config.json").read_text())["facts"]
    )
    text = (run.path / "README.md").read_text("utf-8")
    assert "| data | mnist |\n| licence of the data | not known to genzoo |" in text
    assert "datasets" not in text.partition("# ")[0]
    assert hub.repository_of("mnist") == "ylecun/mnist"
    assert hub.repository_of("me/birds@v1:small") == "me/birds"
    assert hub.repository_of("birds") is None


# The texts of models


def facts_of(trained: zoo.Run, text: str | None, monkeypatch: pytest.MonkeyPatch) -> RunFacts:
    """The facts of a run whose model's card is ``text``, or none."""
    found = read_facts(trained.path, trained.host)
    name = None if text is None else "zoo_cards:mine.md"
    if text is not None:
        monkeypatch.setattr(writing, "_text_of", lambda spec: text)
    return replace(found, spec=replace(found.spec, card=name))


@pytest.mark.parametrize(
    "text",
    [
        None,
        "# $name\n\n$facts\n\nThe end, for 5 $$.\n",
        "# $name, with no place for anything\n",
        "---\ntags: [mine, $model]\nlicense: mit\n---\n# $name\n\n$graphs\n$use\n$facts\n",
    ],
    ids=["plain", "facts alone", "nothing", "in another order"],
)
def test_every_text_gets_every_part(
    trained: zoo.Run, text: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = new_card(facts_of(trained, text, monkeypatch), "GRAPHS", {"onnx": True})
    assert parts.names_in(made) == {*parts.NAMES}
    for said in ("| seed | 0 |", 'zoo.load(".")', "GRAPHS", "# glow-digits"):
        assert made.count(said) == 1
    metadata, body = front.split(made)
    values = front.read(metadata)
    assert {"glow", "flow", "onnx"} <= {*values["tags"]}
    assert values["library_name"] == "genzoo"
    assert re.search(r"\$[a-z]", body) is None
    if text is not None and "The end" in text:
        assert body.endswith("The end, for 5 $.\n")
    if text is not None and "license" in text:
        assert values["tags"][:2] == ["mine", "glow"]
        assert values["license"] == "mit"
        assert body.index("GRAPHS") < body.index("zoo.load") < body.index("| seed |")


@pytest.mark.parametrize("model", ["dcgan", "glow", "nice", "realnvp", "sngan", "vae"])
def test_the_texts_of_the_zoo_are_whole(model: str) -> None:
    text = (files("zoo_cards") / f"{model}.md").read_text("utf-8")
    wanted = ["How it works", "This run", "Intended use and limits", "Licences", "Citation"]
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == wanted
    assert all(f"\n${name}\n" in text for name in parts.NAMES)
    assert "]($paper))" in text or "]($paper);" in text
    works = text.partition("## How it works")[2].partition("## This run")[0]
    assert len(re.findall(r"^- \*\*|^- A \*\*", works, re.MULTILINE)) == 5
    assert re.search(r"^```bibtex\n@inproceedings\{\w+,\n(  .*\n)+\}\n```\n\Z", text, re.MULTILINE)


# Metadata


@pytest.mark.parametrize(
    ("before", "changes", "after"),
    [
        ("", {"a": 1}, "a: 1\n"),
        ("a: 1  # one\n\n# two\nb: 2\n", {"b": 3}, "a: 1  # one\n\n# two\nb: 3\n"),
        ("a:\n- x\n# c\n- y\nb: 2\n", {"a": ["z"]}, "a:\n- z\nb: 2\n"),
        ("a: |\n  b: 1\n\n  c\nb: 2\n", {"b": None}, "a: |\n  b: 1\n\n  c\n"),
        ("b: 1.0\na: x\n", {"a": "x", "b": 1.0, "c": None}, "b: 1.0\na: x\n"),
        ("{a: 1, b: 2}\n", {"a": 3}, "a: 3\nb: 2\n"),
        ('"a": 1\n', {"a": 2}, "a: 2\n"),
        ("a: 1", {"b": 2}, "a: 1\nb: 2\n"),
        ("x: &x [1]\ny: *x\n", {"x": None}, "y:\n- 1\n"),
        ("", {"a": "y: {\n'\""}, None),
    ],
)
def test_metadata_are_edited_key_by_key(before: str, changes: dict, after: str | None) -> None:
    found = front.edited(before, changes)
    assert after is None or found == after
    wanted = front.read(before) | changes
    assert front.read(found) == {key: one for key, one in wanted.items() if one is not None}
