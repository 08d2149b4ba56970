"""Links in a run folder that lead out of it are refused by every command."""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path

import pytest
from folders import contents

import zoo
from zoo.errors import ZooError
from zoo.runs.links import check_links

LINKS = (
    *(
        "metrics.json",
        "metrics.jsonl",
        "README.md",
        "model.safetensors",
        "curve.png",
        "config.json",
    ),
    *("samples", "checkpoints", "onnx", "samples/grid.png", "checkpoints/step-00000024"),
    *("checkpoints/step-00000024/state.json", "samples/new.png", "dangling"),
)
COMMANDS = (
    ("train", "glow", "--resume", "--steps", "30", "--out"),
    ("sample",),
    ("evaluate",),
    ("export",),
    ("verify",),
    ("verify", "--repair"),
    ("card",),
    ("push", "--with-space"),
    ("demo",),
)


def lead_out(run: Path, name: str, outside: Path) -> None:
    """Moves a file or folder of a run out of it, and links to it."""
    target = outside / "sentinel"
    (run / name).parent.mkdir(exist_ok=True)
    if (run / name).exists():
        shutil.move(run / name, target)
    elif name == "onnx":
        target.mkdir()
    if name != "dangling" and not target.exists():
        target.write_text("a private file")
    (run / name).symlink_to(target)


@pytest.mark.parametrize("name", LINKS)
def test_a_link_out_of_a_run_is_refused(name: str, trained_copy: Path, tmp_path: Path) -> None:
    (outside := tmp_path / "outside").mkdir()
    lead_out(trained_copy, name, outside)
    with pytest.raises(ZooError, match=f"{name} is a link that leads out of the run"):
        zoo.load(trained_copy, "cpu")


FOLLOWED = [
    *itertools.product(["samples", "checkpoints", "metrics.json"], COMMANDS),
    ("onnx", ("export",)),
]


@pytest.mark.parametrize(
    ("name", "command"), FOLLOWED, ids=[f"{name}-{' '.join(command)}" for name, command in FOLLOWED]
)
def test_no_command_follows_it(
    command: tuple[str, ...], name: str, trained_copy: Path, here: Path, commands
) -> None:
    (outside := here / "outside").mkdir()
    lead_out(trained_copy, name, outside)
    before = contents(here), contents(trained_copy)
    arguments = (*command, trained_copy, *(["user/model"] if command[0] == "push" else []))
    message = commands.fails(1, *arguments)
    assert message == (
        f"{trained_copy / name} is a link that leads out of the run: replace it by what it leads to"
    )
    assert (contents(here), contents(trained_copy)) == before


def test_a_new_run_does_not_start_behind_a_link(here: Path, commands) -> None:
    (here / "outside").mkdir()
    (here / "run").mkdir()
    (here / "run/checkpoints").symlink_to(here / "outside")
    message = commands.fails(2, "train", "glow", "--out", "run")
    assert message.startswith("run is not an empty folder")
    assert not [*(here / "outside").iterdir()]


def test_links_within_a_run_and_to_a_run_are_followed(trained_copy: Path, tmp_path: Path) -> None:
    (trained_copy / "samples/latest.png").symlink_to("grid.png")
    (tmp_path / "latest").symlink_to(trained_copy)
    assert zoo.load(tmp_path / "latest", "cpu").sample(1).shape[0] == 1


def test_files_in_the_cache_of_the_hub_may_be_links(trained: zoo.Run, tmp_path: Path) -> None:
    repository = tmp_path / "models--user--glow"
    snapshot = repository / "snapshots/0123"
    snapshot.mkdir(parents=True)
    (repository / "blobs").mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copy(trained.path / name, repository / "blobs" / name)
        (snapshot / name).symlink_to(f"../../blobs/{name}")
    check_links(snapshot)
    assert zoo.load(snapshot, "cpu").sample(1).shape[0] == 1
    (snapshot / "README.md").symlink_to(os.fspath(tmp_path / "private"))
    with pytest.raises(ZooError, match="leads out of the run"):
        zoo.load(snapshot, "cpu")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "metrics.jsonl", "README.md"])
def test_a_pipe_in_place_of_a_file_is_refused(
    name: str, trained: zoo.Run, trained_copy: Path, commands
) -> None:
    (trained_copy / name).unlink()
    os.mkfifo(trained_copy / name)
    command = ["card"] if name == "README.md" else ["compare", "-o", "sheet.png", trained.path]
    message = commands.fails(1, *command, trained_copy)
    assert f"{name} is not a regular file" in message


def test_a_large_config_is_refused(trained_copy: Path) -> None:
    with open(trained_copy / "config.json", "r+b") as file:
        file.truncate(2**24 + 1)
    with pytest.raises(ZooError, match="has 16,777,217 bytes: at most 16,777,216 are read"):
        zoo.load(trained_copy, "cpu")
