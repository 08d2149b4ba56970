"""Temporary files: those of killed processes are removed, those of living ones and others stay."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import zoo
from zoo.system.files import replacing, replacing_folder, write_bytes
from zoo.system.partial import is_partial, remove_partial

KILLED = """
import os, signal, sys
from pathlib import Path
from zoo.system.files import replacing, replacing_folder
with {writer}(Path(sys.argv[1])) as beside:
    if beside.is_dir():
        (beside / "half").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def killed(writer: str, path: Path) -> Path:
    """Kills a process while it writes ``path``; returns what it left."""
    subprocess.run([sys.executable, "-c", KILLED.format(writer=writer), str(path)], check=False)
    (left,) = path.parent.glob(f".{path.name}.*.part")
    assert is_partial(left)
    return left


@pytest.mark.parametrize("writer", ["replacing", "replacing_folder"])
def test_the_next_write_removes_what_a_kill_left(writer: str, tmp_path: Path) -> None:
    left = killed(writer, tmp_path / "out")
    with (replacing if writer == "replacing" else replacing_folder)(tmp_path / "out"):
        assert not left.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_a_living_process_writes_stays(tmp_path: Path) -> None:
    with replacing(tmp_path / "file") as one, replacing_folder(tmp_path / "folder") as two:
        write_bytes(tmp_path / "file", b"other")
        remove_partial(tmp_path)
        assert one.exists()
        assert two.exists()
        one.write_bytes(b"mine")
    assert (tmp_path / "file").read_bytes() == b"mine"


@pytest.mark.parametrize("name", [".x.part", ".x.abc.part", "x.abcdefgh.part", ".x.abcdefgh.tmp"])
def test_files_of_other_programs_stay(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    remove_partial(tmp_path)
    assert (tmp_path / name).exists()


def test_the_next_command_on_a_run_removes_what_an_export_left(trained_copy: Path) -> None:
    (trained_copy / "onnx").mkdir()
    left = [
        trained_copy / "onnx/.sampler.onnx.a1b2c3_d.part",
        trained_copy / ".config.json.aaaaaaaa.part",
    ]
    for path in left:
        path.touch()
    zoo.load(trained_copy, "cpu")
    assert not any(path.exists() for path in left)
