"""Killed and interrupted runs lose nothing, and equal an uninterrupted run after resuming."""

import functools
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import zoo
from zoo.runs.checkpoints import find_checkpoints
from zoo.runs.folder import GRID, WEIGHTS, RunFolder
from zoo.system.files import write_bytes

SMALL = {
    "glow": ("depth=1", "width=8"),
    "dcgan": ("data.size=16", "data.pad=4", "width=64"),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Returns the folder of an uninterrupted run of a model."""

    @functools.cache
    def trained(model: str) -> Path:
        out = tmp_path_factory.mktemp(model) / "run"
        process = start(model, out)
        assert process.wait(timeout=300) == 0, process.communicate()
        return out

    return trained


def start(model: str, out: Path, *more: str) -> subprocess.Popen[str]:
    """Trains for 40 steps in a new process, with a checkpoint every 15."""
    command = [sys.executable, "-m", "zoo", "train", model, "--steps", "40", "--out", str(out)]
    settings = [f"--set={setting}" for setting in ("training.checkpoint_every=15", *SMALL[model])]
    return subprocess.Popen(
        [*command, *settings, *more], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def wait_for_step(process: subprocess.Popen[str], out: Path, step: int) -> None:
    for _ in range(6000):
        lines = RunFolder(out).read_metrics()
        if lines and lines[-1]["step"] >= step:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    raise AssertionError(f"step {step} was not reached")


@pytest.mark.parametrize(("model", "kill_at"), [("glow", 10), ("glow", 20), ("dcgan", 20)])
def test_killed_and_resumed_equals_uninterrupted(
    model: str, kill_at: int, whole: Callable[[str], Path], tmp_path: Path
) -> None:
    """SIGKILL before the first checkpoint or between two, then --resume without other options."""
    out = tmp_path / "run"
    process = start(model, out, "--set", "training.log_every=5")
    wait_for_step(process, out, kill_at)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (out / "checkpoints" / "step-00000040").exists()
    resume = [sys.executable, "-m", "zoo", "train", model, "--resume", "--out", str(out)]
    subprocess.run(resume, check=True, capture_output=True)
    for name in ("model.safetensors", "checkpoints/step-00000040/state.safetensors"):
        assert (out / name).read_bytes() == (whole(model) / name).read_bytes()
    assert [line["step"] for line in RunFolder(out).read_metrics()] == [*range(5, 41, 5)]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_after_a_checkpoint(number: int, status: int, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = start("glow", out, "--steps", "100000")
    wait_for_step(process, out, 10)
    process.send_signal(number)
    _, error = process.communicate(timeout=60)
    assert process.returncode == status
    assert "resume with: zoo train glow --out" in error.splitlines()[-1]
    assert "Traceback" not in error
    stopped = int(find_checkpoints(out)[-1].name.removeprefix("step-"))
    assert RunFolder(out).read_metrics()[-1]["step"] == stopped
    assert zoo.load(out).sample(2).shape == (2, 1, 8, 8)


def test_resuming_writes_weights_that_a_kill_prevented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last checkpoint exists, but the weights and grid are those of the first one."""
    settings = {"depth": 1, "width": 8, "training.checkpoint_every": 2}

    def train(folder: Path, **more: object) -> dict[str, bytes]:
        zoo.train("glow", config=settings, steps=4, out=folder, quiet=True, **more)
        return {name: (folder / name).read_bytes() for name in (WEIGHTS, GRID)}

    whole = train(tmp_path / "whole")
    written = []

    def killed(path: Path, data: bytes) -> None:
        if path.name == WEIGHTS:
            written.append(path)
            if len(written) == 2:
                raise KeyboardInterrupt
        write_bytes(path, data)

    with monkeypatch.context() as patch:
        patch.setattr("zoo.runs.record.write_bytes", killed)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "cut")
    assert (tmp_path / "cut" / WEIGHTS).read_bytes() != whole[WEIGHTS]
    assert train(tmp_path / "cut", resume=True) == whole
