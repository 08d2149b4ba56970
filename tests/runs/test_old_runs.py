"""Runs of earlier format versions: they load, sample, evaluate and resume as before."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from project import ROOT

import zoo
from zoo.evaluation.metrics import read_evaluation
from zoo.runs.folder import BOOKKEEPING

FIXTURES = ROOT / "tests/runs/fixtures"
FOLDER = FIXTURES / "version2"
MODELS = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())
RUNS = [*(f"version2/{model}" for model in MODELS), "version3/dcgan", "version3/glow"]

TOLERANCE = 1e-3
"""For sums in another order on another processor, which a step of Adam may magnify."""


def test_there_is_a_run_of_each_model() -> None:
    assert [spec.name for spec in zoo.list_models()] == MODELS
    for name in RUNS:
        values = json.loads((FIXTURES / name / "config.json").read_text("utf-8"))
        assert values["format_version"] == int(name.partition("/")[0].removeprefix("version"))
    assert sum(path.stat().st_size for path in FIXTURES.rglob("*") if path.is_file()) < 500_000


@pytest.mark.parametrize("name", RUNS)
def test_an_old_run_samples_as_before(name: str) -> None:
    samples = zoo.load(FIXTURES / name, "cpu").sample(10, seed=0).numpy()
    np.testing.assert_allclose(samples, np.load(FIXTURES / name / "samples.npy"), atol=TOLERANCE)


@pytest.mark.parametrize("model", ["glow", "nice", "realnvp", "vae"])
def test_an_old_run_is_evaluated_on_the_split_of_its_training(model: str) -> None:
    expected = read_evaluation(FOLDER / model)
    assert expected is not None
    run = zoo.load(FOLDER / model, "cpu")
    assert run.config.data.split_rule == "position"
    for metric in run.evaluate(metrics=("bits_per_dim", "nats")):
        assert metric.protocol.images == expected[metric.name].protocol.images == 90
        assert metric.value == pytest.approx(expected[metric.name].value, rel=1e-4)


@pytest.mark.parametrize("name", RUNS)
def test_an_old_run_resumes_as_before(name: str, tmp_path: Path) -> None:
    run = Path(shutil.copytree(FIXTURES / name, tmp_path / "run"))
    version, model = name.split("/")
    zoo.train(model, steps=8, resume=True, out=run, device="cpu", quiet=True)
    expected = json.loads((run / "resumed.json").read_text("utf-8"))
    line = json.loads((run / "metrics.jsonl").read_text("utf-8").splitlines()[-1])
    assert line["step"] == 8
    assert {*line} == {*expected}
    for name in {*expected} - {*BOOKKEEPING}:
        assert line[name] == pytest.approx(expected[name], rel=TOLERANCE, abs=TOLERANCE)
    stored = json.loads((run / "config.json").read_text("utf-8"))
    assert stored["format_version"] == 4
    rule = "position" if version == "version2" else "hash"
    assert stored["config"]["data"]["split_rule"] == rule
