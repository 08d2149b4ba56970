"""genzoo's own output among images: runs, grids and plots are left out."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from command_line import Commands
from numbered import numbered_image, png
from trees import classes_of, left_out, make_tree, source_of

from zoo.data.listing import list_files
from zoo.errors import ZooError
from zoo.report.curves import save_curve
from zoo.report.grids import grid, save_png


def test_a_run_among_images_is_left_out(here: Path, commands: Commands) -> None:
    """``cd photos && zoo train vae --data .``, and resumed."""
    make_tree(here, ["*24"])
    options = ("--data", ".", "--steps", "1", "--set", "data.channels=1", "--device", "cpu")
    assert commands("train", "vae", *options).status == 0
    (run,) = (here / "runs").iterdir()
    assert commands("sample", run, "-n", "4").status == 0
    source = source_of(here)
    assert classes_of(source) == {"train": {None: 24}}
    assert [part.what for part in source.left_out] == [
        f"the run of genzoo runs/{run.name}",
        "the grid or plot by genzoo grid.png",
    ]
    options = ("--data", ".", "--steps", "2", "--set", "data.channels=1", "--device", "cpu")
    result = commands("train", "vae", *options, "--out", run, "--resume")
    assert result.status == 0, result.err


def test_grids_and_plots_are_recognized_by_content(tmp_path: Path) -> None:
    make_tree(tmp_path, ["*3"])
    images = np.random.default_rng(0).random((4, 3, 8, 8))
    save_png(tmp_path / "renamed.PNG", grid(images))
    save_curve(tmp_path / "b.png", [{"step": 1, "loss": 2.0}], ["loss"])
    source = source_of(tmp_path)
    assert classes_of(source) == {"train": {None: 3}}
    assert left_out(source) == ["2 grids and plots by genzoo (b.png, ...): its own output"]


def test_generated_images_in_a_folder_are_data(tmp_path: Path) -> None:
    from zoo.cli.sample import write_images

    write_images(np.random.default_rng(0).random((5, 1, 8, 8), np.float32), tmp_path / "fakes")
    source = source_of(tmp_path / "fakes")
    assert (classes_of(source), left_out(source)) == ({"train": {None: 5}}, [])


def test_other_files_of_these_names_are_no_output(tmp_path: Path) -> None:
    make_tree(tmp_path, ["grid.png", "runs/a/grid.png"])
    (tmp_path / "runs/a/samples").mkdir()
    assert len(list_files(tmp_path).files) == 2
    for content in ("{}", "[1]", "junk", json.dumps({"library_name": "timm"})):
        (tmp_path / "runs/a/config.json").write_text(content)
        assert len(source_of(tmp_path, layout="images").splits["train"]) == 2


def test_a_run_as_the_source_is_an_error(tmp_path: Path) -> None:
    make_tree(tmp_path, ["samples/*2"])
    (tmp_path / "config.json").write_text('{"library_name": "genzoo"}')
    with pytest.raises(ZooError, match="is a run of genzoo, not data"):
        source_of(tmp_path)


def test_many_files_are_listed_quickly(tmp_path: Path) -> None:
    content = png(numbered_image(1, 32))
    for index in range(2000):
        (tmp_path / f"{index}.png").write_bytes(content)
    start = time.perf_counter()
    assert len(source_of(tmp_path).splits["train"]) == 2000
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize("name", ["a", "z"])
def test_a_folder_that_is_linked_twice_is_read_once(name: str, tmp_path: Path) -> None:
    make_tree(tmp_path, ["cat/*2", "dog/*3"])
    (tmp_path / name).symlink_to(tmp_path / "dog", target_is_directory=True)
    source = source_of(tmp_path)
    assert classes_of(source) == {"train": {"cat": 2, "dog": 3}}
    assert left_out(source) == [f"{name}: a link to dog, which is read already"]


def test_a_link_to_the_folder_itself_is_noted(tmp_path: Path) -> None:
    make_tree(tmp_path, ["cat/*2", "dog/*3"])
    (tmp_path / "cat/loop").symlink_to(tmp_path, target_is_directory=True)
    source = source_of(tmp_path)
    assert classes_of(source) == {"train": {"cat": 2, "dog": 3}}
    assert left_out(source) == ["cat/loop: a link to the folder itself, which is read already"]


def test_a_link_to_images_elsewhere_is_followed(tmp_path: Path) -> None:
    make_tree(tmp_path, ["store/x/*2", "set/dog/*3"])
    (tmp_path / "set/cat").symlink_to(tmp_path / "store/x", target_is_directory=True)
    assert classes_of(source_of(tmp_path / "set")) == {"train": {"cat": 2, "dog": 3}}
