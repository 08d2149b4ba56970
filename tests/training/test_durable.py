"""A run that diverges, is killed at any point, or goes on with other data or settings."""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from PIL import Image

import zoo
from zoo.config.resolve import Setting
from zoo.data.dataset import ResidentSplit
from zoo.data.fingerprint import SAMPLED, fingerprint
from zoo.errors import UsageError, ZooError
from zoo.run import train
from zoo.runs.checkpoints import find_checkpoints
from zoo.runs.weights import weights_digest
from zoo.system.progress import Progress
from zoo.training.request import Request

GLOW = {"depth": 1, "width": 8, "training.checkpoint_every": 2}


def run(model: str, out: Path, resume: bool = False, **settings: object) -> zoo.Run:
    chosen = [
        Setting(*key.replace("__", ".").split("."), value, key) for key, value in settings.items()
    ]
    request = Request(model, settings=chosen, out=out, resume=resume, device="cpu")
    return train(tiny.tiny_host(), request, Progress())


# States that are not finite


def spoil(monkeypatch: pytest.MonkeyPatch, at: int, change: Callable[[object], None]) -> None:
    """After step ``at`` of the GAN, changes its objective."""
    step, calls = tiny.GAN.step, []

    def spoiled(self, batches, update):
        metrics = step(self, batches, update)
        calls.append(1)
        if len(calls) == at:
            with torch.no_grad():
                change(self)
        return metrics

    monkeypatch.setattr(tiny.GAN, "step", spoiled)


def nan_weight(objective) -> None:
    objective.networks["critic"].weight.fill_(float("nan"))


def infinite_moment(objective) -> None:
    (state, _) = objective.optimizers["critic"].state.values()
    state["exp_avg_sq"].fill_(float("inf"))


@pytest.mark.parametrize(
    ("change", "name"),
    [(nan_weight, "critic.weight"), (infinite_moment, "exp_avg_sq of critic.weight")],
)
@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_state_that_is_not_finite_is_not_written(
    change, name: str, ema: float, tmp_path: Path, monkeypatch
) -> None:
    """In the last step all losses are finite still."""
    spoil(monkeypatch, 20, change)
    settings = {"training__checkpoint_every": 10, "training__ema_decay": ema}
    with pytest.raises(ZooError) as info:
        run("gan", tmp_path / "r", **settings)
    text = f"{name} is not finite at step 20; the last checkpoint is {tmp_path}/r/checkpoints/step"
    assert str(info.value).startswith(text)
    assert info.value.exit_code == 1
    assert [path.name for path in find_checkpoints(tmp_path / "r")] == ["step-00000010"]
    assert not list((tmp_path / "r/samples").glob("step-00000020*"))
    assert '"step": 20' not in (tmp_path / "r/metrics.jsonl").read_text()
    monkeypatch.undo()
    assert run("gan", tmp_path / "r", resume=True).path == tmp_path / "r"


def test_infinite_buffers_are_no_divergence(tmp_path: Path, monkeypatch) -> None:
    initialize = tiny.Shift.__init__

    def masked(self, *arguments) -> None:
        initialize(self, *arguments)
        self.register_buffer("mask", torch.tensor([0.0, -torch.inf]))

    monkeypatch.setattr(tiny.Shift, "__init__", masked)
    run("tiny", tmp_path / "r", training__steps=2)
    run("tiny", tmp_path / "r", resume=True, training__steps=4)


# Other settings and other data


def test_after_divergence_a_run_goes_on_with_other_settings(tmp_path: Path, commands) -> None:
    out = tmp_path / "run"
    options = {"out": out, "device": "cpu", "quiet": True}
    zoo.train("glow", steps=2, config=GLOW, **options)
    changes = ["learning_rate=0.0001", "beta2=0.9", "warmup_steps=9", "clip_norm=null"]
    result = commands(
        *("train", "glow", "--resume", "--out", out, "--device", "cpu", "--steps", 4),
        *(f"--set={change}" for change in changes),
    )
    assert result.status == 0, result.err
    assert "training.learning_rate is 0.0001 from step 2 on, and was 0.004" in result.err
    values = json.loads((out / "config.json").read_text("utf-8"))
    assert {**values["changes"][0]} == {
        "step": 2, "key": "training.learning_rate", "before": 0.004, "after": 0.0001,
    }  # fmt: skip
    assert len(values["changes"]) == 4
    assert values["config"]["training"]["learning_rate"] == 0.0001
    state = json.loads((out / "checkpoints/step-00000004/state.json").read_text("utf-8"))
    assert state["optimizers"]["network"]["groups"][0]["betas"][1] == 0.9
    # A kill before the next checkpoint, then a resumption without the settings
    whole = shutil.copytree(out, tmp_path / "whole")
    shutil.rmtree(out / "checkpoints/step-00000004")
    zoo.train("glow", resume=True, **options)
    name = "checkpoints/step-00000004/state.safetensors"
    assert (out / name).read_bytes() == (whole / name).read_bytes()
    assert json.loads((out / "config.json").read_text("utf-8"))["changes"] == values["changes"]


@pytest.mark.parametrize(
    ("key", "value"),
    [("training.seed", 3), ("training.optimizer", "adamax"), ("training.ema_decay", 0.0)],
)
def test_settings_that_change_shapes_or_splits_are_refused(
    trained: zoo.Run, key: str, value: object
) -> None:
    before = (trained.path / "config.json").read_bytes()
    with pytest.raises(UsageError, match=f"was started with {key} = "):
        zoo.train("glow", out=trained.path, resume=True, config={key: value}, quiet=True)
    assert (trained.path / "config.json").read_bytes() == before


def write_images(folder: Path, seed: int) -> Path:
    folder.mkdir(exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (30, 8, 8), dtype=np.uint8)
    for index, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"{index}.png")
    return folder


@pytest.mark.parametrize("resident", [4.0, 0.0], ids=["resident", "streamed"])
def test_other_images_are_found_when_a_run_is_resumed(
    resident: float, tmp_path: Path, capsys
) -> None:
    data = write_images(tmp_path / "data", 0)
    config = {**GLOW, "data.bits": 8, "data.resident_gib": resident, "data.workers": 0}
    options = {"out": tmp_path / "run", "device": "cpu", "quiet": True}
    zoo.train("glow", data=data, steps=2, batch_size=4, config=config, **options)
    zoo.train("glow", steps=3, resume=True, **options)
    write_images(data, 1)
    with pytest.raises(UsageError, match="was started on other training images than data has now"):
        zoo.train("glow", steps=4, resume=True, **options)
    zoo.train("glow", steps=4, resume=True, accept_changes=True, **options)
    values = json.loads((tmp_path / "run/config.json").read_text("utf-8"))
    (change,) = values["changes"]
    assert (change["step"], change["key"]) == (3, "data")
    assert change["after"] == values["summary"]["fingerprint"]
    zoo.train("glow", steps=5, resume=True, **options)


def test_fingerprints() -> None:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (400, 1, 4, 4), dtype=np.uint8)
    labels = generator.integers(0, 3, 400)
    split, order = ResidentSplit(images, labels), generator.permutation(400)
    first = fingerprint(split, labels=True)
    assert (first["images"], first["sampled"]) == (400, 400)
    assert fingerprint(split.select(order), labels=True) == first
    assert fingerprint(ResidentSplit(images, labels[order]), labels=True) != first
    assert fingerprint(ResidentSplit(images, labels[order]), labels=False) == fingerprint(
        split, labels=False
    )
    changed = images.copy()
    changed[7, 0, 0, 0] ^= 1
    assert fingerprint(ResidentSplit(changed, labels), labels=True) != first
    assert fingerprint(split, True, SAMPLED)["sampled"] == SAMPLED


# Kills

POINTS = {
    "locked": ("zoo.runs.folder", "RunFolder", "remove_partial"),
    "building": ("zoo.training.launch", "", "build"),
    "configuration": ("zoo.training.launch", "", "hardware"),
    "rename": ("pathlib", "Path", "replace"),
}


def kill(point: tuple[str, str, str], **options: object) -> None:
    """Trains Glow in a child of this process, which is killed where it calls a function."""
    module, owner, name = point

    def killed(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def child() -> None:
        holder = importlib.import_module(module)
        setattr(getattr(holder, owner) if owner else holder, name, killed)
        zoo.train("glow", **options)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


@pytest.mark.parametrize("point", POINTS.values(), ids=POINTS)
def test_a_run_that_was_killed_before_it_started_is_taken(
    point: tuple[str, str, str], here: Path, capsys
) -> None:
    options = {"steps": 2, "config": GLOW, "device": "cpu"}
    kill(point, quiet=True, **options)
    (folder,) = (here / "runs").iterdir()
    assert not (folder / "config.json").exists()
    copy = Path(shutil.copytree(folder, here / "copy"))
    assert zoo.train("glow", **options).path.resolve() == folder
    assert "killed before" not in capsys.readouterr().err
    resumed = zoo.train("glow", out=copy, resume=True, **options)
    line = f"{copy} was killed before its first step: it starts with the settings of this command"
    assert line in capsys.readouterr().err.splitlines()
    for path in (folder, resumed.path):
        assert not list(path.rglob(".*.part"))
        assert (path / "model.safetensors").read_bytes() == (
            folder / "model.safetensors"
        ).read_bytes()


def test_a_folder_with_a_file_of_a_user_is_not_taken(here: Path) -> None:
    (here / "run/checkpoints").mkdir(parents=True)
    (here / "run/notes.txt").touch()
    for resume, text in ((False, "is not an empty folder"), (True, "it has no config.json")):
        with pytest.raises(UsageError, match=text):
            zoo.train("glow", out="run", resume=resume, quiet=True)


def test_a_folder_that_another_process_starts_in_is_not_taken(here: Path) -> None:
    from filelock import FileLock

    (here / "runs/glow-digits/checkpoints").mkdir(parents=True)
    with FileLock(here / "runs/glow-digits/checkpoints/.lock"):
        run = zoo.train("glow", steps=1, config=GLOW, device="cpu", quiet=True)
        assert run.path == Path("runs/glow-digits-2")
        with pytest.raises(ZooError, match="is being trained by another process"):
            zoo.train("glow", out="runs/glow-digits", config=GLOW, quiet=True)


def test_resuming_writes_a_grid_that_a_kill_prevented(trained_copy: Path) -> None:
    names = ("samples/step-00000024.png", "samples/grid.png")
    before = {name: (trained_copy / name).read_bytes() for name in names}
    for name in names:
        (trained_copy / name).unlink()
        zoo.train("glow", out=trained_copy, resume=True, device="cpu", quiet=True)
        assert {name: (trained_copy / name).read_bytes() for name in names} == before


def test_resuming_keeps_lines_of_metrics_behind_a_damaged_one(trained_copy: Path, capsys) -> None:
    path = trained_copy / "metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], '{"step": 1x}\n', *lines[1:]]))
    zoo.train("glow", out=trained_copy, resume=True, device="cpu")
    assert capsys.readouterr().err.count("metrics.jsonl had damaged lines") == 1
    assert path.read_text().splitlines(keepends=True) == lines


# Digests of what is in memory


def test_a_graph_names_the_weights_that_it_was_made_of(trained_copy: Path) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    from zoo_onnx.runtime import OnnxModel

    loaded = zoo.load(trained_copy, "cpu")
    before = loaded.folder.weights_digest()
    zoo.train("glow", out=trained_copy, steps=25, resume=True, device="cpu", quiet=True)
    after = loaded.folder.weights_digest()
    assert after != before
    (exported,) = loaded.export(graph="sampler")
    assert exported.report["weights_sha256"] == before
    assert OnnxModel.load(trained_copy).metadata.weights_sha256 == before
    assert loaded.evaluate(metrics=["bits_per_dim"]).weights == before[:12]
    with torch.no_grad():
        next(loaded.network.parameters()).add_(1)
    assert weights_digest(loaded.network) not in (before, after)
    assert weights_digest(zoo.load(trained_copy, "cpu").network) == after
