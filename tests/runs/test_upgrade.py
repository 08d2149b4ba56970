"""Run folders of format version 1, as genzoo 0.1.0 wrote them before its first release."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from project import ROOT

from zoo.api import host
from zoo.errors import ZooError
from zoo.evaluation.metrics import parse_evaluation, read_evaluation
from zoo.report.card import read_summary
from zoo.runs.folder import RunFolder

FOLDER = ROOT / "tests/runs/fixtures/version1"
CONFIG = json.loads((FOLDER / "config.json").read_text("utf-8"))
METRICS = json.loads((FOLDER / "metrics.json").read_text("utf-8"))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FOLDER, tmp_path / "run"))


def test_the_fixture_is_of_version_1() -> None:
    assert (CONFIG["format_version"], METRICS["format_version"]) == (1, 1)
    assert "facts" in CONFIG
    assert "figures" in METRICS


def test_config_of_version_1_is_read(run: Path) -> None:
    values = RunFolder(run).read_config()
    assert values["format_version"] == 4
    assert "facts" not in values
    assert values["summary"] == {
        "parameters": 164548,
        "latent": {"size": 64, "distribution": "normal", "classes": 0},
        "data_license": "CC BY 4.0",
        "images": 1618,
    }
    spec, config, image = RunFolder(run).parse_config(values, host().spec)
    assert spec.name == "glow"
    assert (image.channels, image.size, image.classes, image.bits) == (1, 8, 10, 4)
    assert image.class_names == ()
    dumped = config.dump()
    dumped["training"]["average"] = dumped["training"].pop("ema_decay")
    later = {"layout": None, "column": None, "value_range": None, "background": None}
    data = CONFIG["config"]["data"] | later | {"split_rule": "position"}
    training = CONFIG["config"]["training"] | {"compile": "off", "activation_checkpointing": False}
    training |= {"keep": "last", "validate": "likelihood"}
    training |= dict.fromkeys(["validate_every", "patience", "freeze"])
    assert dumped == CONFIG["config"] | {"data": data, "training": training}
    assert config.training.ema_decay == 0.9


def test_card_of_version_1_has_its_summary(run: Path) -> None:
    summary = read_summary(run, host().owner)
    assert (summary.parameters, summary.images) == (164548, 1618)
    assert summary.data_license == "CC BY 4.0"
    assert summary.latent is not None
    assert summary.latent.size == 64
    assert summary.last["step"] == 2


def test_metrics_of_version_1_are_read(run: Path) -> None:
    evaluation = read_evaluation(run)
    assert evaluation is not None
    assert evaluation.weights == METRICS["weights"]
    assert len(evaluation.metrics) == len(METRICS["figures"]) == 6
    renamed = {"pictures": "images", "neighbours": "neighbors"}
    for metric, stored in zip(evaluation, METRICS["figures"], strict=True):
        written = metric.as_json()
        for key in ("name", "value", "standard_error", "deviation", "unit"):
            assert written[key] == stored[key]
        fields = {renamed.get(key, key): value for key, value in stored["facts"].items()}
        assert written["protocol"] == fields
    assert json.loads(json.dumps(evaluation.as_json()))["format_version"] == 2
    assert parse_evaluation(evaluation.as_json()) == evaluation


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format_version": True}, "has format version true and this genzoo"),
        ({"format_version": "1"}, 'has format version "1" and this genzoo'),
        ({"config": None}, "a configuration must have sections of keys, got null"),
        ({"config": 5}, "a configuration must have sections of keys, got 5"),
        ({"config": {"training": 5}}, "training must be a section of keys, got 5"),
        ({"config": {"training": {"average": "x"}}}, "training.ema_decay must be a number"),
        ({"config": {"training": {"ema_decay": 0.9, "moving": 1}}}, "no key 'training.moving'"),
        ({"library_name": "diffusers"}, "genzoo did not write its config.json"),
        ({"image": 5}, "image must have the whole numbers channels, size, classes and bits"),
    ],
)
def test_hostile_configs_of_version_1_are_refused(
    run: Path, change: dict[str, object], sentence: str
) -> None:
    (run / "config.json").write_text(json.dumps(CONFIG | change), "utf-8")
    folder = RunFolder(run)
    with pytest.raises(ZooError, match=re.escape(sentence)):
        folder.parse_config(folder.read_config(), host().spec)


@pytest.mark.parametrize("key", ["config", "image", "model"])
def test_a_config_of_version_1_without_a_key_is_refused(run: Path, key: str) -> None:
    values = {name: value for name, value in CONFIG.items() if name != key}
    (run / "config.json").write_text(json.dumps(values), "utf-8")
    folder = RunFolder(run)
    with pytest.raises(ZooError, match=r"config\.json"):
        folder.parse_config(folder.read_config(), host().spec)


@pytest.mark.parametrize("facts", [5, [], "x", None])
def test_a_damaged_summary_of_version_1_counts_as_none(run: Path, facts: object) -> None:
    """The summary only describes the run, so the card leaves out unknown values."""
    (run / "config.json").write_text(json.dumps(CONFIG | {"facts": facts}), "utf-8")
    summary = read_summary(run, host().owner)
    assert (summary.parameters, summary.images, summary.latent) == (None, None, None)


@pytest.mark.parametrize(
    "change",
    [
        {"figures": 5},
        {"figures": [5]},
        {"figures": [{"name": "nats"}]},
        {"figures": [METRICS["figures"][0] | {"facts": 5}]},
        {"figures": [METRICS["figures"][0] | {"facts": {"sky": "blue"}}]},
        {"figures": [METRICS["figures"][0] | {"value": float("nan")}]},
        {"format_version": 0},
    ],
)
def test_damaged_metrics_of_version_1_are_refused(run: Path, change: dict[str, object]) -> None:
    (run / "metrics.json").write_text(json.dumps(METRICS | change), "utf-8")
    with pytest.raises(ZooError, match=r"metrics.json is damaged: measure again with zoo evaluate"):
        read_evaluation(run)
