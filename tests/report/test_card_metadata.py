"""The metadata of a card, which may come from a stranger."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from zoo.report.card import DamagedCard, front, read_card
from zoo_hub.card import license_of

LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

MERGES = "a: &a {x: y}\n" + "".join(
    f"{name}: &{name} {{<<: [{', '.join([f'*{before}'] * 9)}]}}\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

WRONG = {
    "merges": (MERGES, "not valid YAML, line 3"),
    "one merge": ("a: &a {x: y}\nb: {<<: *a}\n", "not valid YAML, line 3"),
    "laughs": (LAUGHS, "over 10,000 values"),
    "license": (LAUGHS + "license: *i\n", "over 10,000 values"),
    "endless": ("a: &a [*a]\n", "over 10,000 values"),
    "many": ("a: [" + "1, " * 10_001 + "]\n", "over 10,000 values"),
    "large": ("# " + "x" * 2**18 + "\n", "over 131,072 characters"),
    "nested": ("a: " + "[" * 5000, "not valid YAML"),
    "python": ("a: !!python/object/apply:os.system [touch evil]\n", "not valid YAML"),
    "tab": ("a:\n\t- b\n", "not valid YAML"),
    "list": ("- a\n", "not a mapping"),
    "mapping": ("license: {a: b}\n", "a wrong value of license"),
    "lists": ("license: [[mit]]\n", "a wrong value of license"),
    "long": (f"license: {'m' * 2000}\n", "a wrong value of license"),
    "tags": ("tags: {a: b}\n", "a wrong value of tags"),
    "datasets": ("datasets: [[a]]\n", "a wrong value of datasets"),
    "library": ("library_name: [a]\n", "a wrong value of library_name"),
    "pipeline": ("pipeline_tag: {a: b}\n", "a wrong value of pipeline_tag"),
    "index": ("model-index: mine\n", "a wrong value of model-index"),
    "entries": ("model-index: [mine]\n", "a wrong value of model-index"),
}


@pytest.mark.parametrize("name", WRONG)
def test_metadata_of_a_stranger_are_bounded(name: str) -> None:
    text, message = WRONG[name]
    with pytest.raises(DamagedCard, match=message) as error:
        front.read(text)
    assert len(str(error.value)) < 200
    with pytest.raises(DamagedCard, match=message):
        front.edited(text, {"tags": ["glow"]})
    assert license_of(f"---\n{text}---\n") is None
    assert not Path("evil").exists()


def test_metadata_of_a_person_are_kept() -> None:
    text = (
        "license: [mit, other]\nlibrary_name: genzoo\ntags: [1, a, true]\ndatasets: mnist\n"
        "model-index:\n- name: x\n  results: []\nmine: &m {a: [1, 2]}\nmore: *m\ndate: 2024-01-01\n"
    )
    values = front.read(text)
    assert values["license"] == ["mit", "other"]
    assert values["more"] == {"a": [1, 2]}
    assert values["date"] == datetime.date(2024, 1, 1)
    assert front.edited(text, {"tags": values["tags"]}) == text


def test_a_card_that_is_not_a_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(b"\xff\xfe")
    with pytest.raises(DamagedCard, match="is not UTF-8"):
        read_card(tmp_path)
