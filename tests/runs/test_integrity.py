"""Every file of a run is verified: changed checkpoints, weights and settings are found."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from project import ROOT

import zoo
from zoo.errors import UsageError, ZooError
from zoo.model import build
from zoo.runs.checkpoints import find_checkpoints
from zoo.runs.loaded import settle
from zoo.runs.weights import load_tensors, save_tensors
from zoo.training.ema import ema_of
from zoo.training.restore import newest_checkpoint

Damage = Callable[[Path], object]


def flip_bit(path: Path) -> None:
    """Flips the lowest bit of the middle byte of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def edit(path: Path, change: Callable[[dict], object]) -> None:
    values = json.loads(path.read_text("utf-8"))
    change(values)
    path.write_text(json.dumps(values), "utf-8")


def tensors(change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> Damage:
    def apply(checkpoint: Path) -> None:
        path = checkpoint / "state.safetensors"
        save_tensors(path, change(load_tensors(path)))

    return apply


def state(change: Callable[[dict], object]) -> Damage:
    return lambda checkpoint: edit(checkpoint / "state.json", change)


def network_tensor(values: dict[str, torch.Tensor]) -> str:
    return min(name for name in values if name.startswith("network/"))


HASHED = {
    "bit": lambda c: flip_bit(c / "state.safetensors"),
    "bit of the manifest": lambda c: flip_bit(c / "manifest.json"),
    "bit of the config": lambda c: flip_bit(c / "config.json"),
    "step": state(lambda v: v["progress"].update(step=21)),
    "beta2": state(lambda v: v["optimizers"]["network"]["groups"][0]["betas"].__setitem__(1, 0.5)),
    "no manifest": lambda c: (c / "manifest.json").unlink(),
    "no state": lambda c: (c / "state.safetensors").unlink(),
    "truncated": lambda c: os.truncate(c / "state.safetensors", 5000),
    "no moments": tensors(lambda v: {k: t for k, t in v.items() if k.startswith("network/")}),
}
"""Damages that only a hash finds, or that a run without hashes does not have."""

PARSED = {
    "extra key": state(lambda v: v.update(extra=1)),
    "extra group key": state(lambda v: v["optimizers"]["network"]["groups"][0].update(evil=1)),
    "no progress": state(lambda v: v.update(progress=None)),
    "text": state(lambda v: v["progress"].update(step="24")),
    "negative": state(lambda v: v["progress"].update(step=-1)),
    "other step": state(lambda v: v["progress"].update(step=23)),
    "endless": state(lambda v: v["progress"].update(seconds=float("inf"))),
    "no optimizers": state(lambda v: v.pop("optimizers")),
    "empty optimizers": state(lambda v: v.update(optimizers={})),
    "other params": state(lambda v: v["optimizers"]["network"]["groups"][0].update(params=[0])),
    "deep": lambda c: (c / "state.json").write_text('{"progress":' + "[" * 99_999),
    "list": lambda c: (c / "state.json").write_text("[]"),
    "missing tensor": tensors(lambda v: {k: t for k, t in v.items() if k != network_tensor(v)}),
    "extra tensor": tensors(lambda v: v | {"network/other/weight": torch.zeros(2)}),
    "shape": tensors(lambda v: v | {network_tensor(v): torch.zeros(7)}),
    "moment's shape": tensors(lambda v: v | {"optimizer/network/0/exp_avg": torch.zeros(7)}),
    "index": tensors(lambda v: v | {"optimizer/network/999/exp_avg": torch.zeros(7)}),
    "no moments": HASHED["no moments"],
    "half the moments": tensors(
        lambda v: {k: t for k, t in v.items() if k != "optimizer/network/0/exp_avg_sq"}
    ),
    "nan": tensors(lambda v: v | {k: t * float("nan") for k, t in v.items() if "exp_avg" in k}),
    "not safetensors": lambda c: (c / "state.safetensors").write_bytes(b"\0" * 99),
}


def without_hashes(run: Path) -> None:
    """Makes a run one of format version 3."""
    for checkpoint in find_checkpoints(run):
        (checkpoint / "manifest.json").unlink()
        (checkpoint / "config.json").unlink()
        edit(checkpoint / "state.json", lambda values: values.pop("format_version"))
    edit(run / "config.json", lambda values: (values.pop("integrity"), values.update(VERSION_3)))


VERSION_3 = {"format_version": 3}


def resume(run: Path, **more: object) -> zoo.Run:
    return zoo.train("glow", out=run, resume=True, device="cpu", **more)


@pytest.fixture(scope="module")
def newest(trained: zoo.Run) -> Callable[[Path], tuple[str, list[str]]]:
    """Returns the name of the checkpoint that a copy of ``trained`` resumes from, and what is said
    of it."""
    training = trained.config.training
    model = build(trained.owner, trained.config.model, trained.image_spec, torch.device("cpu"))
    objective = model.objective(trained.config)
    networks = {**objective.networks, "average": ema_of(model.network, training.ema_decay)}

    def find(run: Path) -> tuple[str, list[str]]:
        lines: list[str] = []
        checkpoint = newest_checkpoint(run, networks, objective.optimizers, [], lines.append)
        assert checkpoint is not None
        return checkpoint[0].name, lines

    return find


@pytest.mark.parametrize(
    ("damage", "hashes"),
    [
        *(pytest.param(d, True, id=f"{name}, hashed") for name, d in (HASHED | PARSED).items()),
        *(pytest.param(d, False, id=name) for name, d in PARSED.items()),
    ],
)
def test_a_damaged_checkpoint_is_found(
    damage: Damage, hashes: bool, newest, trained_copy: Path
) -> None:
    if not hashes:
        without_hashes(trained_copy)
    assert newest(trained_copy)[0] == "step-00000024"
    damage(find_checkpoints(trained_copy)[-1])
    name, lines = newest(trained_copy)
    assert name == "step-00000012"
    assert lines[0].startswith("the checkpoint step-00000024: ")
    assert lines[0].endswith("; resuming from step-00000012 instead")
    assert "\n" not in lines[0]
    assert len(lines) == (1 if hashes else 2)


def test_a_run_falls_back_to_the_checkpoint_before(
    trained: zoo.Run, trained_copy: Path, capsys
) -> None:
    flip_bit(trained_copy / "checkpoints/step-00000024/state.safetensors")
    resumed = resume(trained_copy)
    assert "state.safetensors is damaged: its SHA-256 is not that of" in capsys.readouterr().err
    for name in ("model.safetensors", "checkpoints/step-00000024/state.safetensors"):
        assert (resumed.path / name).read_bytes() == (trained.path / name).read_bytes()


def test_a_run_without_an_intact_checkpoint_is_an_error(commands, trained_copy: Path) -> None:
    for checkpoint in find_checkpoints(trained_copy):
        flip_bit(checkpoint / "state.safetensors")
    before = (trained_copy / "config.json").read_bytes()
    message = commands.fails(1, "train", "glow", "--resume", "--out", trained_copy)
    assert message.startswith(f"no checkpoint of {trained_copy} can be used (step-00000024: state.")
    assert message.endswith("start another run with --out")
    assert (trained_copy / "config.json").read_bytes() == before
    shutil.rmtree(trained_copy / "checkpoints")
    message = commands.fails(1, "train", "glow", "--resume", "--out", trained_copy)
    assert "has weights but no checkpoint to resume from" in message


def test_damaged_weights_are_an_error_and_resuming_writes_them_again(
    commands, trained: zoo.Run, trained_copy: Path, here: Path
) -> None:
    weights = trained_copy / "model.safetensors"
    flip_bit(weights)
    message = commands.fails(1, "sample", trained_copy)
    assert message.startswith(f"{weights} is damaged, its SHA-256 is not that of config.json: ")
    assert f"zoo train glow --out {trained_copy} --resume writes it again" in message
    resume(trained_copy, quiet=True)
    assert weights.read_bytes() == (trained.path / "model.safetensors").read_bytes()
    flip_bit(weights)
    shutil.rmtree(trained_copy / "checkpoints")
    with pytest.raises(ZooError, match="fetch the run again, or use another copy of it"):
        zoo.load(trained_copy, "cpu")


@pytest.mark.parametrize(
    ("keys", "value", "text"),
    [
        (("config", "training", "seed"), 1, "(training.seed is 1, and was 0)"),
        (("config", "data", "bits"), 5, "(data.bits is 5, and was 4)"),
        (("image", "class_names"), [*"abcdefghij"], '(image.class_names is ["a", "b"'),
        (("summary", "images"), 3, "(summary.images is 3, and was 1617)"),
        (("integrity", "config"), "x", "integrity in config.json is damaged"),
    ],
)
def test_a_changed_config_is_found_and_named(
    trained_copy: Path, keys: tuple[str, ...], value: object, text: str
) -> None:
    def change(values: dict) -> None:
        for key in keys[:-1]:
            values = values[key]
        values[keys[-1]] = value

    edit(trained_copy / "config.json", change)
    for use in (lambda: zoo.load(trained_copy, "cpu"), lambda: resume(trained_copy, quiet=True)):
        with pytest.raises(ZooError) as info:
            use()
        assert "--accept-changes" in str(info.value)
        assert text in str(info.value) or keys[0] == "integrity"
    resume(trained_copy, quiet=True, accept_changes=True)
    zoo.load(trained_copy, "cpu")


def test_accept_changes_takes_and_records_what_was_edited(trained_copy: Path, capsys) -> None:
    path = trained_copy / "config.json"
    edit(path, lambda values: values["config"]["training"].update(learning_rate=0.001, steps=26))
    with pytest.raises(UsageError, match="take it with --accept-changes"):
        resume(trained_copy, quiet=True)
    resume(trained_copy, accept_changes=True)
    assert (
        "training.learning_rate is 0.001 from step 24 on, and was 0.004" in capsys.readouterr().err
    )
    values = json.loads(path.read_text("utf-8"))
    assert {c["key"] for c in values["changes"]} == {"training.learning_rate", "training.steps"}
    assert zoo.load(trained_copy, "cpu").config.training.learning_rate == 0.001
    state = json.loads((trained_copy / "checkpoints/step-00000026/state.json").read_text("utf-8"))
    assert state["progress"]["step"] == 26


def test_accept_changes_needs_resume(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--accept-changes needs --resume"):
        zoo.train("glow", out=tmp_path / "run", accept_changes=True, quiet=True)


@pytest.mark.parametrize("damage", [lambda p: p.unlink(), lambda p: p.write_bytes(b'{"model": ')])
def test_a_lost_config_is_written_again_from_the_checkpoint(
    trained_copy: Path, damage: Damage, capsys
) -> None:
    before = json.loads((trained_copy / "config.json").read_text("utf-8"))
    damage(trained_copy / "config.json")
    resume(trained_copy)
    assert "it is written again as at step-00000024" in capsys.readouterr().err
    after = json.loads((trained_copy / "config.json").read_text("utf-8"))
    assert after["config"] == before["config"]
    zoo.load(trained_copy, "cpu")


def test_weights_between_two_writes_load(trained_copy: Path) -> None:
    """A kill after the weights and before config.json: the checkpoint states their hash."""
    checkpoints = find_checkpoints(trained_copy)
    shutil.copy(checkpoints[0] / "config.json", trained_copy)
    zoo.load(trained_copy, "cpu")
    settle(trained_copy)
    config = trained_copy / "config.json"
    assert config.read_bytes() == (checkpoints[1] / "config.json").read_bytes()


def test_an_old_run_is_not_verified_and_says_so_once(tmp_path: Path, capsys) -> None:
    run = Path(shutil.copytree(ROOT / "tests/runs/fixtures/version3/glow", tmp_path / "run"))
    for _ in range(2):
        zoo.load(run, "cpu")
    text = f"{run} has no hashes, so its files are not verified: an older genzoo wrote it\n"
    assert capsys.readouterr().err == text
    zoo.train("glow", steps=8, out=run, resume=True, device="cpu", quiet=True)
    zoo.load(run, "cpu")
    assert capsys.readouterr().err == ""
    flip_bit(run / "model.safetensors")
    with pytest.raises(ZooError, match="is damaged"):
        zoo.load(run, "cpu")
