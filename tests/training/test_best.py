"""The weights of the best validation: kept, resumed to the byte, and used everywhere."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from kills import compare_runs, snapshot

import zoo
from zoo import hookimpl, hookspecs
from zoo.config.resolve import Setting
from zoo.data.digits import open_digits
from zoo.errors import Interrupted, UsageError
from zoo.objectives import MaximumLikelihood, discrete_nats
from zoo.plugins.host import Host, Plugin
from zoo.report.inventory import is_finished
from zoo.run import load_with, train
from zoo.runs.weights import load_tensors
from zoo.system.progress import Progress
from zoo.training.request import Request
from zoo.verification import verify

CURVE = {2: 5.0, 4: 3.0, 5: 1.0, 6: 4.0, 8: 3.0, 9: 1.0, 10: 6.0, 12: 7.0, 14: 8.0, 16: 2.0}
"""Validation by step: step 4 is the best up to 14; 8 is a tie, and 5 and 9 are off the schedule."""

SETTINGS = {"steps": 12, "validate_every": 2, "checkpoint_every": 4, "log_every": 1}


class Curved(tiny.Tiny):
    """``tiny``, with validations of ``CURVE``; the buffer ``calls`` counts its steps."""

    @hookimpl
    def zoo_train(self, model, network, config):
        if model == "gan":
            return tiny.GAN(network, config.training)

        def score(network, batch):
            network.calls += 1
            return discrete_nats(network(batch.images), batch)

        return MaximumLikelihood(network, config.training, score)

    @hookimpl
    def zoo_sample(self, network, latents, temperature):
        images = (latents * temperature).reshape(-1, *network.shape)
        return (images + network.calls / 16).clamp(0, 1)

    @hookimpl
    def zoo_score(self, model, network, batch):
        value = CURVE[int(network.calls)] * network.latent.size * math.log(2)
        return torch.full((len(batch),), value)


class Said(Progress):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


class WithoutScore(tiny.Tiny):
    zoo_score = None


def host_of(plugin: object) -> Host:
    host = Host(hookspecs)
    assert host.add(Plugin("tiny", "tests", "0"), plugin).cause is None
    return host


def curved_host() -> Host:
    return host_of(Curved())


def run(
    out: Path,
    resume: bool = False,
    *,
    model: str = "tiny",
    host: Host | None = None,
    data: Path | None = None,
    accept: bool = False,
    **more: object,
) -> tuple[zoo.Run, list[str]]:
    """Trains with ``more`` settings of training; returns the run and what it said."""
    values = {} if resume else SETTINGS
    settings = [Setting("training", key, value, key) for key, value in (values | more).items()]
    if data is not None:
        settings.append(Setting("data", "source", str(data), "data"))
        settings.append(Setting("data", "split_rule", "position", "position"))
    said = Said()
    request = Request(
        model, settings=settings, out=out, resume=resume, device="cpu", accept_changes=accept
    )
    return train(host or curved_host(), request, said), said.lines


def weights_step(folder: Path) -> int:
    """The step of the stored weights."""
    return int(load_tensors(folder / "model.safetensors")["calls"])


def config_of(folder: Path) -> dict:
    return json.loads((folder / "config.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A run whose best validation is at step 4 of 12, and what it said."""
    out = tmp_path_factory.mktemp("best") / "run"
    finished, lines = run(out, ema_decay=0.5)
    assert int(finished.network.calls) == 4, "zoo.train returns the weights to use"
    return out, lines


def test_the_weights_of_the_best_validation_are_kept(whole: tuple[Path, list[str]]) -> None:
    folder, lines = whole
    config = config_of(folder)
    assert weights_step(folder) == int(load_with(curved_host(), folder).network.calls) == 4
    assert config["config"]["training"]["keep"] == "best", "auto, decided"
    value = config["best"]["value"]
    best = {"step": 4, "metric": "validation_bits_per_dim", "value": value}
    assert config["best"] == best
    assert value == pytest.approx(3)
    assert config["integrity"]["step"] == 4
    text = "step 4, the best by validation bits per dim: 3.0000"
    assert f"the weights are those of {text}" in lines
    assert f"| weights | {text} |" in (folder / "README.md").read_text("utf-8")
    log = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    measured = {line["step"]: line.get("validation_bits_per_dim") for line in log}
    assert [*measured] == [*range(1, 13)]
    for step, value in measured.items():
        expected = None if step % 2 else pytest.approx(CURVE[step])
        assert value == expected
    grid = (folder / "samples/grid.png").read_bytes()
    assert grid == (folder / "samples/step-00000004.png").read_bytes()
    assert verify(folder, curved_host()).problems == []


def test_zoo_show_says_which_weights_a_run_has(trained: zoo.Run, commands) -> None:
    best = config_of(trained.path)["best"]
    assert best["step"] in (12, 24)
    shown = commands("show", trained.path)
    text = f"weights: step {best['step']}, the best by validation bits per dim: {best['value']:.4f}"
    assert text in shown.out.splitlines()
    assert json.loads(commands("show", trained.path, "--json").out)["best"] == best


def test_the_last_weights_are_kept_if_asked(tmp_path: Path) -> None:
    run(tmp_path / "r", keep="last")
    assert weights_step(tmp_path / "r") == 12
    assert "best" not in config_of(tmp_path / "r")


@pytest.mark.parametrize("removed", [1, 2], ids=["newest", "both"])
def test_a_resumed_run_keeps_the_best_of_the_uninterrupted_one(
    removed: int, whole: tuple[Path, list[str]], tmp_path: Path
) -> None:
    out, host = Path(shutil.copytree(whole[0], tmp_path / "run")), curved_host()
    if removed == 2:
        shutil.rmtree(out / "checkpoints/step-00000012")
        with pytest.raises(Interrupted):
            interrupted(out, 9, resume=True)
        shutil.rmtree(out / "checkpoints/step-00000008")
        assert [path.name for path in (out / "checkpoints").glob("step*")] == ["step-00000009"]
    else:
        shutil.rmtree(out / "checkpoints/step-00000012")
    (out / "model.safetensors").unlink()
    run(out, resume=True)
    assert verify(out, host).problems == []
    before, after = (load_state(folder) for folder in (whole[0], out))
    assert before == after
    assert (out / "model.safetensors").read_bytes() == (whole[0] / "model.safetensors").read_bytes()
    if removed == 1:
        assert compare_runs(out, whole[0]) == []


def load_state(folder: Path) -> object:
    files = snapshot(folder / "checkpoints/step-00000012")
    return files["state.safetensors"], files["state.json"], config_of(folder)


def interrupted(out: Path, step: int, **options: object) -> None:
    """Trains until Ctrl-C after ``step``."""

    class After:
        def __init__(self) -> None:
            self.exit_code = 0

        def __enter__(self):
            return self

        def __exit__(self, *_: object) -> None: ...

    signals = After()
    loop_step = zoo.training.loop.Loop._step

    def step_and_signal(self, raws) -> None:
        loop_step(self, raws)
        if self.position.step + 1 == step:
            signals.exit_code = 130

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zoo.training.loop.Interrupts", lambda: signals)
        patch.setattr("zoo.training.loop.Loop._step", step_and_signal)
        run(out, **options)


def test_a_validation_of_an_interrupt_alone_is_not_kept(
    whole: tuple[Path, list[str]], tmp_path: Path
) -> None:
    """That of step 5, the lowest, is logged; the run that resumes equals the whole one."""
    out = tmp_path / "r"
    with pytest.raises(Interrupted):
        interrupted(out, 5, ema_decay=0.5)
    assert '"validation_bits_per_dim": 1.0' in (out / "metrics.jsonl").read_text()
    assert weights_step(out) == 4
    run(out, resume=True)
    assert load_state(out) == load_state(whole[0])


def test_before_the_first_validation_the_weights_are_the_last(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        interrupted(tmp_path / "r", 5, validate_every=6)
    assert weights_step(tmp_path / "r") == 5
    assert "best" not in config_of(tmp_path / "r")
    run(tmp_path / "r", resume=True)
    assert weights_step(tmp_path / "r") == 6
    assert verify(tmp_path / "r", curved_host()).problems == []


def test_patience_stops_a_run_which_more_patience_continues(tmp_path: Path) -> None:
    stopped, lines = run(tmp_path / "r", patience=2)
    text = "stopped at step 8, 2 validations after step 4, the best by validation bits per dim"
    assert any(line.startswith(text) for line in lines)
    assert int(stopped.network.calls) == weights_step(stopped.path) == 4
    before = snapshot(stopped.path)
    last = json.loads((stopped.path / "metrics.jsonl").read_text().splitlines()[-1])
    assert is_finished(stopped.path, config_of(stopped.path), last)
    _, lines = run(stopped.path, resume=True)
    assert any(line.startswith(text) and "raise training.patience" in line for line in lines)
    assert snapshot(stopped.path) == before
    run(stopped.path, resume=True, patience=20, steps=16)
    assert weights_step(stopped.path) == 16


def test_what_is_kept_may_change_when_a_run_is_resumed(tmp_path: Path) -> None:
    out = tmp_path / "r"
    run(out, steps=8)
    run(out, resume=True, keep="last")
    assert (weights_step(out), "best" in config_of(out)) == (8, False)
    run(out, resume=True, steps=10)
    run(out, resume=True, steps=14, keep="best")
    assert weights_step(out) == 12, "the best since"
    run(out, resume=True, keep="auto")
    assert config_of(out)["config"]["training"]["keep"] == "best", "auto keeps the decision"


def write_data(path: Path, count: int = 60, first: int = 0, labels: bool = True) -> Path:
    """Writes digits as ``.npz``; every 20th is for validation."""
    (split,) = open_digits().splits.values()
    part = slice(first, first + count)
    values = {"labels": split.labels[part]} if labels else {}
    np.savez(path, images=split.images.images[part], **values)
    return path


def test_validations_on_other_images_do_not_compare(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data.npz")
    run(tmp_path / "r", steps=8, data=data)
    assert weights_step(tmp_path / "r") == 4
    write_data(data, first=60)
    run(tmp_path / "r", resume=True, accept=True, steps=12)
    assert weights_step(tmp_path / "r") == 10


REFUSED = {
    "no likelihood": ({"keep": "best"}, "training.keep = best: tiny has no likelihood"),
    "last": ({"keep": "last", "patience": 3}, "training.patience = 3: the last weights are kept"),
    "patience": ({"patience": 1}, "training.patience = 1: tiny has no likelihood"),
    "fid": ({"validate": "fid"}, "training.validate = fid: data has no labels"),
}


@pytest.mark.parametrize(("settings", "text"), REFUSED.values(), ids=REFUSED)
def test_settings_without_a_validation_are_refused_before_anything_is_written(
    settings: dict, text: str, tmp_path: Path
) -> None:
    data, host = write_data(tmp_path / "data.npz", labels=False), host_of(WithoutScore())
    with pytest.raises(UsageError) as info:
        run(tmp_path / "r", host=host, data=data, **settings)
    assert str(info.value).startswith(text)
    assert "\n" not in str(info.value)
    assert list(tmp_path.iterdir()) == [data]


def test_without_a_validation_split_the_last_weights_are_kept(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data.npz", count=19)
    for more in ({"keep": "best"}, {"patience": 2}, {"validate": "fid"}):
        with pytest.raises(UsageError, match="data has no validation split"):
            run(tmp_path / "r", data=data, **more)
        assert list(tmp_path.iterdir()) == [data]
    run(tmp_path / "r", data=data, steps=4)
    assert config_of(tmp_path / "r")["config"]["training"]["keep"] == "last"
    assert weights_step(tmp_path / "r") == 4


def test_what_is_not_finite_is_never_the_best(tmp_path: Path, monkeypatch) -> None:
    values = iter([math.nan, 3.0, -math.inf, math.nan, 2.0, math.inf])
    monkeypatch.setattr("zoo.training.validation.validation_bits_per_dim", lambda *_: next(values))
    run(tmp_path / "r")
    assert (weights_step(tmp_path / "r"), config_of(tmp_path / "r")["best"]["value"]) == (10, 2.0)


def test_a_gan_keeps_the_best_by_fid_where_asked(tmp_path: Path) -> None:
    """Measuring it changes nothing of the training."""
    data, host = write_data(tmp_path / "data.npz"), host_of(WithoutScore())
    more = {"data": data, "host": host, "model": "gan", "steps": 6}
    run(tmp_path / "plain", **more)
    run(tmp_path / "last", **more, validate="fid", keep="last")
    run(tmp_path / "best", **more, validate="fid")
    plain, last, best = (tmp_path / name for name in ("plain", "last", "best"))
    assert config_of(plain)["config"]["training"]["keep"] == "last"
    assert (plain / "model.safetensors").read_bytes() == (last / "model.safetensors").read_bytes()
    lines = [json.loads(line) for line in (best / "metrics.jsonl").read_text().splitlines()]
    measured = {line["step"]: line["validation_fid_cnn"] for line in lines if len(line) > 6}
    assert [*measured] == [2, 4, 6]
    kept = config_of(best)["best"]
    assert kept["metric"] == "validation_fid_cnn"
    assert kept["value"] == measured[kept["step"]] == min(measured.values())


@pytest.mark.slow
def test_processes_stop_together(tmp_path: Path) -> None:
    """Steps that leave the weights as they are: the second validation equals the first."""
    command = [sys.executable, "-m", "zoo", "train", "nice", "--processes", "2", "--device", "cpu"]
    settings = ("width=8", "learning_rate=1e-30", "validate_every=1", "patience=1")
    command += ["--steps", "50", "--out", tmp_path / "r", *(f"--set={s}" for s in settings)]
    for more in ([], ["--resume"]):
        done = subprocess.run(
            [*map(str, command), *more], capture_output=True, text=True, timeout=240, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "stopped at step 2, 1 validation after step 1" in done.stderr
