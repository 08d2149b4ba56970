"""Interrupted runs end with a checkpoint, and resume; test_kills.py kills them."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import zoo
from zoo.runs.checkpoints import find_checkpoints
from zoo.runs.folder import GRID, WEIGHTS, RunFolder
from zoo.system.files import write_bytes


def start(out: Path) -> subprocess.Popen[str]:
    """Trains in a new process."""
    command = [sys.executable, "-m", "zoo", "train", "glow", "--steps=100000", "--out", str(out)]
    return subprocess.Popen(
        [*command, "--set=depth=1", "--set=width=8"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def wait_for_step(process: subprocess.Popen[str], out: Path, step: int) -> None:
    for _ in range(6000):
        lines = RunFolder(out).read_metrics()
        if lines and lines[-1]["step"] >= step:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    raise AssertionError(f"step {step} was not reached")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_after_a_checkpoint(number: int, status: int, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = start(out)
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
