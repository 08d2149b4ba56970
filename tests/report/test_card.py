"""Summaries of runs in their cards, older runs, and texts of models."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from sealed import write_config

import zoo
from zoo.report.card import RunSummary, front, new_card, parts, read_summary, writing
from zoo.system.console import duration
from zoo.system.hardware import hardware, hardware_text


def summary_table(folder: Path) -> dict[str, str]:
    """Rows of the tables of a card, by their first column."""
    text = (folder / "README.md").read_text("utf-8")
    return dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", text, re.MULTILINE))


def test_a_card_has_time_throughput_hardware_seed_and_versions(trained: zoo.Run) -> None:
    stored = json.loads((trained.path / "config.json").read_text("utf-8"))
    rows, last = summary_table(trained.path), trained.folder.read_metrics()[-1]
    assert stored["hardware"] == hardware(torch.device("cpu"))
    assert rows["hardware"] == hardware_text(stored["hardware"])
    assert rows["hardware"].endswith("1 thread")  # conftest asks for it
    assert rows["training time"] == duration(last["seconds"])
    seen = last["step"] * 32  # the preset's batches
    assert float(rows["images per second"].replace(",", "")) == pytest.approx(
        seen / last["seconds"], rel=0.01
    )
    summary = stored["summary"]
    assert summary["parameters"] == sum(p.numel() for p in trained.network.parameters())
    assert rows["parameters"] == f"{summary['parameters']:,}"
    assert summary["latent"] == {"size": 64, "distribution": "normal", "classes": 0}
    assert rows["data license"] == summary["data_license"] == "CC BY 4.0"
    assert rows["seed"] == "0"
    assert rows["genzoo, torch, Python"] == ", ".join(stored["versions"].values())


def test_a_run_that_stores_no_hardware_gets_a_card_without_it(
    trained_copy: Path,
) -> None:
    stored = json.loads((trained_copy / "config.json").read_text("utf-8"))
    del stored["hardware"]
    write_config(trained_copy, stored)
    zoo.load(trained_copy).write_card()
    assert "hardware" not in summary_table(trained_copy)
    assert summary_table(trained_copy)["seed"] == "0"


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
    stored = {"device": "cpu", "name": "A CPU", "cores": 2, "threads": 1, "processes": 1}
    assert hardware_text(stored | changes) == text
    assert hardware_text({}) == ""


def test_a_file_with_the_name_of_a_dataset_is_not_that_dataset(here: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8), np.uint8)
    np.savez("mnist.npz", images=images)
    run = zoo.train(
        "nice", data="mnist.npz", steps=1, config={"width": 4}, device="cpu", quiet=True
    )
    assert {"dataset", "data_license"}.isdisjoint(
        json.loads((run.path / "config.json").read_text())["summary"]
    )
    text = (run.path / "README.md").read_text("utf-8")
    assert "| data | mnist |\n| data license | unknown |" in text
    assert "datasets" not in text.partition("# ")[0]


NAMES = ("cat", 'a "dog" | <b>`', *(f"n{number}" for number in range(11)))


@pytest.mark.parametrize(
    ("names", "row", "labels"),
    [
        (
            NAMES,
            'cat, a "dog" \\| &lt;b&gt;\\`, n0, n1, n2, n3, n4, n5, ..., n10 (13 classes)',
            '"n5"',
        ),
        (NAMES[:2], 'cat, a "dog" \\| &lt;b&gt;\\`', r'"a \"dog\" | \u003cb>`"'),
        (("3", "5", "9"), "3, 5, 9", "9"),
        (("03", "5"), "03, 5", "5"),
        (("5", "-07"), "5, -07", '"-07"'),
        ((), "3, without names", "2"),
    ],
)
def test_a_card_names_the_classes_of_a_conditional_run(
    trained: zoo.Run, names: tuple[str, ...], row: str, labels: str
) -> None:
    summary = read_summary(trained.path, trained.host.owner)
    assert "| classes |" not in new_card(summary), "it is unconditional"
    count = len(names) or 3
    assert summary.latent is not None
    card = new_card(
        replace(
            summary,
            latent=replace(summary.latent, classes=count),
            image=replace(summary.image, classes=count, class_names=names),
        )
    )
    assert f"| classes | {row} |\n" in card
    (code,) = re.findall(r"^```python\n(.*?)^```$", card, re.DOTALL | re.MULTILINE)
    assert f", seed=0, labels={labels})" in code
    compile(code, "card", "exec")


# The texts of models


def summary_with(trained: zoo.Run, text: str | None, monkeypatch: pytest.MonkeyPatch) -> RunSummary:
    """Summary of a run whose model has the card ``text``, or none."""
    summary = read_summary(trained.path, trained.host.owner)
    name = None if text is None else "zoo_cards:mine.md"
    if text is not None:
        monkeypatch.setattr(writing, "_model_text", lambda spec: text)
    return replace(summary, spec=replace(summary.spec, card=name))


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
    card = new_card(summary_with(trained, text, monkeypatch), "GRAPHS", {"onnx": True})
    assert parts.names_in(card) == {*parts.NAMES}
    for part in ("| seed | 0 |", 'zoo.load(".")', "GRAPHS", "# glow-digits"):
        assert card.count(part) == 1
    metadata, body = front.split(card)
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
def test_the_texts_of_the_zoo_are_complete(model: str) -> None:
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
def test_metadata_is_edited_key_by_key(before: str, changes: dict, after: str | None) -> None:
    edited = front.edited(before, changes)
    assert after is None or edited == after
    wanted = front.read(before) | changes
    expected = {key: value for key, value in wanted.items() if value is not None}
    assert front.read(edited) == expected
