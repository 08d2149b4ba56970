"""The reference runs: one command, consistent cards and tables, and the published results."""

from __future__ import annotations

import importlib
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from PIL import Image
from project import ROOT
from sealed import write_config

import zoo
from zoo.system.console import duration

SCRIPT = ROOT / "benchmarks/reference/reference.py"
CARDS = ROOT / "model_cards/reference"
COMMITTED = json.loads((CARDS / "results.json").read_text("utf-8"))
README = "Before\n\n<!-- make reference: results -->\nold\n<!-- make reference: end -->\n\nBehind\n"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with quick runs of a flow and a GAN in ``out``, published in ``tree``."""
    folder = tmp_path_factory.mktemp("reference")
    (folder / "tree").mkdir()
    (folder / "tree/README.md").write_text(README, "utf-8")
    command = [sys.executable, SCRIPT, "--quick", "--only", "nice,dcgan", "--out", folder / "out"]
    command += ["--publish", folder / "tree"]
    done = subprocess.run(
        [*map(str, command)], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == (folder / "out/cards/results.md").read_text("utf-8") + "\n"
    return folder


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """The benchmark's modules, by name."""
    monkeypatch.syspath_prepend(SCRIPT.parent)
    before = {*sys.modules}
    yield importlib.import_module
    for name in {*sys.modules} - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(SCRIPT.parent)):
            del sys.modules[name]


def cards(tree: Path) -> Iterator[tuple[dict[str, Any], Path]]:
    """Each run of results.json with the folder of its card."""
    place = tree / "model_cards/reference"
    runs = json.loads((place / "results.json").read_text("utf-8"))["runs"]
    folders = sorted(path.parent for path in place.glob("*/README.md"))
    assert len(folders) == len(runs)
    for run in runs:
        (folder,) = [path for path in folders if path.name.startswith(run["name"])]
        yield run, folder


def table(text: str) -> dict[str, list[str]]:
    """The rows of the wide table, by their first cell."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line[:2] == "| "]
    return {cells[0]: cells for cells in lines if len(cells) == 10}


def check_cards(tree: Path) -> None:
    """Every card has the finite metrics of metrics.json, the run's hardware and commands, a small
    grid, and no path."""
    for run, folder in cards(tree):
        card = (folder / "README.md").read_text("utf-8")
        stored = json.loads((folder / "metrics.json").read_text("utf-8"))
        assert stored["metrics"] == run["metrics"]
        assert stored["weights"] == run["weights"]
        assert len(stored["metrics"]) >= 4
        for metric in stored["metrics"]:
            assert math.isfinite(metric["value"])
            assert f"| {metric['title']} | {metric['value']:.4f}" in card
            assert metric["protocol_text"] in card
        for text in (
            f"| seed | {run['seed']} |",
            f"| steps | {run['steps']} |",
            run["hardware"]["name"],
            run["versions"]["torch"],
            *(f"$ {command}" for command in run["commands"]),
        ):
            assert text in card
        near = {duration(60 * run["minutes"] + more) for more in (-0.01, 0.01)}  # it is rounded
        assert any(f"| training time | {time} |" in card for time in near)
        assert (folder / "samples/grid.png").stat().st_size < 60_000
        with Image.open(folder / "samples/grid.png") as image:
            assert image.format == "PNG"
    for path in (tree / "model_cards/reference").rglob("*"):
        if path.suffix in (".md", ".json"):
            text = path.read_text("utf-8")
            assert not re.search(r"""(^|[\s"'(=`])(/\w|~/|[A-Za-z]:\\)""", text, re.M), path


def test_card_has_metrics_grid_hardware_commands_and_no_path(finished: Path) -> None:
    check_cards(finished / "tree")


def test_table_has_the_measured_metrics(finished: Path) -> None:
    text = (finished / "tree/README.md").read_text("utf-8")
    assert text.startswith("Before\n")
    assert text.endswith("\nBehind\n")
    assert "old" not in text
    rows = table(text)
    assert [*rows] == ["model", "NICE", "DCGAN", "*real images*", "*noise*"]
    for run, folder in cards(finished / "tree"):
        metrics = json.loads((folder / "metrics.json").read_text("utf-8"))["metrics"]
        value = {metric["name"]: metric["value"] for metric in metrics}
        row = rows[run["title"]]
        shown = [float(cell) for cell in row[5:9]]
        names = ("fid_cnn", "kid_cnn", "precision_cnn", "recall_cnn")
        assert shown == pytest.approx([value[name] for name in names], rel=6e-3, abs=6e-4)
        assert "4 steps" in row[2]
        if run["name"] == "nice":
            assert row[3].startswith(f"{value['bits_per_dim']:.3f} ± ")
            assert 0 < float(row[9]) < 1e-4
        else:
            assert (row[3], row[9]) == ("none", "-")


def test_real_images_are_near_and_noise_is_far(finished: Path) -> None:
    real, noise = json.loads((finished / "out/results.json").read_text("utf-8"))["anchors"]
    assert (real["kind"], noise["kind"]) == ("real images", "noise")
    assert real["images"] == noise["images"] == 90
    assert real["fid_cnn"] < noise["fid_cnn"] / 5
    assert abs(real["kid_cnn"]) < noise["kid_cnn"] / 5
    assert real["precision_cnn"] > 0.8 > noise["precision_cnn"]
    assert real["recall_cnn"] > 0.5 > noise["recall_cnn"]


def test_real_images_are_measured_as_zoo_evaluate_measures_samples(
    finished: Path, module: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that generates the images of the anchor gets the metrics of the anchor."""
    from zoo.system.progress import Progress

    run = zoo.load(finished / "out/nice")
    data = run.open_data()
    images = torch.cat([*module("anchors")._training_images(data, 90)])
    monkeypatch.setattr(zoo.Run, "stream", lambda *_, **__: iter(images.split(16)))
    evaluation = run.evaluate(metrics=("fid", "kid", "precision", "recall"))
    real, _ = module("anchors").anchors(data, run.device, Progress())
    for metric in evaluation:
        assert metric.value == pytest.approx(real[metric.name], abs=1e-9)


def test_second_call_does_only_what_is_missing(
    finished: Path, tmp_path: Path, module: Callable[[str], ModuleType]
) -> None:
    out = Path(shutil.copytree(finished / "out", tmp_path / "out"))
    shutil.rmtree(out / "nice/checkpoints")  # interrupted before the first of them
    for name in ("metrics.jsonl", "model.safetensors"):
        (out / "nice" / name).unlink()
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    arguments = ["--quick", "--only", "nice,dcgan", "--out", str(out)]
    assert module("reference").main(arguments) == 0
    changed = {path for path, time in before.items() if path.stat().st_mtime_ns != time}
    weights = [path / "nice/model.safetensors" for path in (out, finished / "out")]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert out / "nice/metrics.json" not in changed  # of the same weights
    assert not {path for path in changed if path.is_relative_to(out / "dcgan")}
    first, second = (
        json.loads((path / "results.json").read_text("utf-8")) for path in (finished / "out", out)
    )
    assert second["anchors"] == first["anchors"]
    for old, new in zip(first["runs"], second["runs"], strict=True):
        assert (new["metrics"], new["weights"]) == (old["metrics"], old["weights"])
        assert new["round_trip"] == old["round_trip"]


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["--quick", "--only", "nise"], 2, "there is no reference run 'nise': did you mean 'nice'"),
        (["--only", "nice"], 2, "holds runs of the kind quick, not cpu: name another --out"),
        (["--gpu"], 1, "--gpu needs an NVIDIA GPU, and torch finds none"),
        (["--gpu", "--publish", "."], 2, "--publish takes no --gpu"),
        (["--quick", "--only", "nice", "--publish", "."], 2, "cannot be read: --publish takes"),
    ],
)
def test_invalid_calls_are_refused_in_a_sentence(
    finished: Path,
    here: Path,
    module: Callable[[str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    status: int,
    sentence: str,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    before = (finished / "out/results.json").read_bytes()
    assert module("reference").main(["--out", str(finished / "out"), *arguments]) == status
    assert sentence in capsys.readouterr().err.splitlines()[-1]
    assert json.loads((finished / "out/results.json").read_bytes()) == json.loads(before)
    assert [*here.iterdir()] == []


def test_a_finished_run_of_another_configuration_is_no_reference_run(
    finished: Path, tmp_path: Path, module: Callable[[str], ModuleType]
) -> None:
    folder = Path(shutil.copytree(finished / "out/nice", tmp_path / "nice"))
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config["config"]["training"]["learning_rate"] = 0.5
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    entry = module("entries").QUICK[0]
    with pytest.raises(zoo.UsageError, match=r"training.learning_rate = 0.5, and the preset"):
        module("commands").train(entry, "digits", folder, "cpu")


def test_run_without_hardware_is_refused(
    finished: Path, tmp_path: Path, module: Callable[[str], ModuleType]
) -> None:
    out = Path(shutil.copytree(finished / "out", tmp_path / "out"))
    config = json.loads((out / "nice/config.json").read_text("utf-8"))
    del config["hardware"]
    write_config(out / "nice", config)
    results, entry = module("results"), module("entries").QUICK[0]
    with pytest.raises(zoo.UsageError, match="does not state the hardware of the training"):
        results.add(results.begun(out, "quick"), entry, "digits", out / "nice", out, "cpu")


@pytest.mark.slow
@pytest.mark.parametrize("signal_sent", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_training_writes_a_checkpoint_first(tmp_path: Path, signal_sent: int) -> None:
    """Ctrl-C reaches script and training at once, as from a terminal; SIGTERM only the script."""
    out = tmp_path / "out"
    code = (
        "import sys; sys.path.insert(0, sys.argv.pop(1))\n"
        "import dataclasses, entries\n"
        "long = dataclasses.replace(entries.QUICK[0], steps=10**6)\n"
        "entries.KINDS['quick'] = (long,)\n"
        "import reference; sys.exit(reference.main(sys.argv[1:]))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(SCRIPT.parent), "--quick", "--out", str(out)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "images/s" in line:
            break
    if signal_sent == signal.SIGINT:
        os.killpg(process.pid, signal_sent)
    else:
        process.send_signal(signal_sent)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 128 + signal_sent
    assert stderr.splitlines()[-1] == "reference: stopped; run the same command to resume"
    assert [*(out / "nice/checkpoints").glob("step-*")]
    assert (out / "nice/model.safetensors").exists()


@pytest.mark.parametrize("kind", ["cpu", "gpu", "quick"])
def test_every_entry_has_a_known_preset_and_known_data(
    kind: str, module: Callable[[str], ModuleType]
) -> None:
    known = {spec.name: spec for spec in zoo.list_models()}
    entries = module("entries").KINDS[kind]
    for entry in entries:
        assert entry.preset in known[entry.model].presets
        assert entry.data in ("mnist", "fashion_mnist", "cifar10", "digits")
    assert {entry.model for entry in entries} == {*known}
    assert len({entry.name for entry in entries}) == len(entries)


def test_published_cards_agree_with_their_metrics() -> None:
    assert COMMITTED["kind"] == "cpu"
    check_cards(ROOT)


def test_published_tables_are_those_of_the_results(
    module: Callable[[str], ModuleType],
) -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    summary = module("tables").summary(COMMITTED)
    assert module("publish").filled(text, summary, "README.md") == text
    markdown = (CARDS / "results.md").read_text("utf-8")
    assert markdown == module("tables").markdown(COMMITTED)


def test_published_results_are_migrated(module: Callable[[str], ModuleType]) -> None:
    migrate = module("migrate")
    assert migrate.migrated_results(COMMITTED) == COMMITTED
    for record, folder in cards(ROOT):
        stored = json.loads((folder / "metrics.json").read_text("utf-8"))
        evaluation = migrate.migrated_evaluation(stored)
        assert evaluation.as_json() == stored
        text = (folder / "README.md").read_text("utf-8")
        summary = migrate.card_summary(folder.name, text, record, evaluation)
        assert module("cards").card(summary, COMMITTED, record) == text


def test_migration_keeps_every_number(module: Callable[[str], ModuleType]) -> None:
    migrate, path = module("migrate"), ROOT / "tests/runs/fixtures/version1/metrics.json"
    stored = json.loads(path.read_text("utf-8"))
    migrated = migrate.migrated_evaluation(stored).as_json()
    migrate.check_same_numbers(path, stored, migrated)
    text = json.dumps(migrated)
    assert not re.search("picture|draw|dequantisation|neighbour|taught", text)
    migrated["metrics"][0]["protocol"]["images"] += 1
    with pytest.raises(ValueError, match=r"lost \{90.0: 1\}, gained \{91.0: 1\}"):
        migrate.check_same_numbers(path, stored, migrated)
    changed = text.replace(str(migrated["metrics"][1]["value"]), "1.5")
    with pytest.raises(ValueError, match=r"gained .*1\.5"):
        migrate.check_same_numbers(path, stored, json.loads(changed))


def test_migrated_words_are_those_of_the_code(module: Callable[[str], ModuleType]) -> None:
    from zoo.evaluation.likelihood import DEQUANTIZED

    assert DEQUANTIZED in module("migrate").WORDS.values()
