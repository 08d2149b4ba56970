"""Classes by name, from training to evaluation, resumption, samples and reconstructions."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import palette
import pytest
import torch
from sealed import write_config

import zoo
from zoo.errors import UsageError, ZooError

LEVELS = {"cat": 40, "dog": 120, "eel": 200, "fox": 250, "3": 40, "5": 120, "7": 200}

RIGHT = 1 / (palette.SIZE**2 * np.log(2))
"""Bits per dimension of images that are scored with their own class; others have 500 and more."""


@pytest.fixture
def trained_on(site, tmp_path: Path, monkeypatch) -> Callable[..., zoo.Run]:
    """Trains a model of :mod:`palette` on class folders, 20 images each, called ``data``."""
    site.add("zoo-palette", Path(palette.__file__).read_text("utf-8"), "zoo_palette")

    def train(names: str, model: str = "palette") -> zoo.Run:
        data = palette.write_folders(tmp_path / "data", dict.fromkeys(names.split(), 20), LEVELS)
        config = {"data.layout": "classes", "data.bits": 8}
        return zoo.train(
            model, data=data, config=config, out=tmp_path / "run", device="cpu", quiet=True
        )

    return train


def bits(run: zoo.Run, data: Path | None = None, split: str = "train") -> float:
    source = None if data is None else str(data)
    return run.evaluate(source, split, metrics=["bits_per_dim"])["bits_per_dim"].value


def level(images: object) -> list[int]:
    return [round(255 * value) for value in np.asarray(images)[:, 0, 1, 1].tolist()]


def test_a_run_knows_its_classes_by_name(trained_on) -> None:
    run = trained_on("cat dog eel")
    stored = json.loads((run.path / "config.json").read_text("utf-8"))
    assert stored["image"]["class_names"] == ["cat", "dog", "eel"]
    assert zoo.load(run.path, "cpu").class_names == ("cat", "dog", "eel")
    assert level(run.sample(2, labels="dog")) == [120, 120]
    assert level(run.sample(3, labels=["eel", "cat", 1])) == [200, 40, 120]
    assert level(run.interpolate(2, 2, labels=["eel", "cat"])) == [200, 200, 40, 40]
    with pytest.raises(UsageError, match="no class 'dgo' among cat, dog, eel: did you mean 'dog'"):
        run.sample(2, labels="dgo")


def test_integers_are_names_where_all_names_are_integers(trained_on) -> None:
    run = trained_on("3 5 7")
    assert level(run.sample(3, labels=[7, 3, 5])) == [200, 40, 120]
    assert level(run.sample(1, labels=torch.tensor([5]))) == [120]
    assert level(run.sample(1, labels="3")) == [40]
    with pytest.raises(UsageError, match="no class 1 among 3, 5, 7"):
        run.sample(2, labels=1)
    images = torch.full((2, 1, 4, 4), 120 / 255)
    assert run.bits_per_dim(images, labels=5).tolist() == pytest.approx([RIGHT] * 2, rel=1e-3)
    assert level(run.reconstruct(images, labels=7)) == [200, 200]


def test_commands_take_the_names(trained_on, commands, here: Path) -> None:
    run = trained_on("cat dog eel")
    for command in ("sample", "reconstruct"):
        out = f"{command}.npy"
        assert commands(command, run.path, "--label", "eel", "-n", 2, "-o", out).status == 0
        assert set(level(np.load(out).reshape(-1, 1, 4, 4)[-2:])) == {200}
        message = commands.fails(2, command, run.path, "--label", "1", "-o", "x.npy")
        assert message == "there is no class '1' among cat, dog, eel"
    result = commands("sample", run.path, "--label", "cat", "--interpolate", "-n", 8, "-o", "i.npy")
    assert (result.status, result.err) == (0, "")
    assert set(level(np.load("i.npy"))) == {40}


def test_reconstructions_of_the_test_split_have_its_own_classes(
    trained_on, commands, here: Path
) -> None:
    run = trained_on("3 5 7")
    assert commands("reconstruct", run.path, "-n", 99, "-o", "own.npy").status == 0
    originals, reconstructions = np.load("own.npy")
    assert level(originals) == level(reconstructions)


def test_other_data_are_scored_by_the_names_of_their_classes(trained_on, tmp_path: Path) -> None:
    run = trained_on("cat dog eel")
    assert bits(run) == pytest.approx(RIGHT, rel=1e-3)
    folders = {"dog": 12, "eel": 30}
    other = palette.write_folders(tmp_path / "other", folders, LEVELS)
    assert bits(run, other) == pytest.approx(RIGHT, rel=1e-3)
    arrays = palette.write_arrays(tmp_path / "eels.npz", ["eel"] * 25 + ["dog"] * 5, LEVELS)
    assert bits(run, arrays) == pytest.approx(RIGHT, rel=1e-3)


def test_images_without_a_class_of_the_run_are_left_out_and_counted(
    trained_on, tmp_path: Path, commands
) -> None:
    run = trained_on("cat dog eel")
    counts = {"train/dog": 8, "train/fox": 3, "train/eel": 4, "test/eel": 5}
    other = palette.write_folders(tmp_path / "other", counts, LEVELS)
    metric = run.evaluate(str(other), "train", metrics=["bits_per_dim"])["bits_per_dim"]
    assert metric.value == pytest.approx(RIGHT, rel=1e-3)
    assert (metric.protocol.images, metric.protocol.left_out) == (10, 2)
    assert "of the train split of other, without 2 of no known class" in str(metric.protocol)
    result = commands("evaluate", run.path, "--data", other, "--split", "train")
    assert (
        "The class fox is unknown to the run: its images have no label (2 in train, 1 in "
        "validation)."
    ) in result.err
    assert zoo.evaluation.metrics.read_evaluation(run.path)["nats"].protocol.left_out == 2


@pytest.mark.parametrize("labels", [["fox"] * 30, [-1] * 15 + [9] * 15, None])
def test_data_of_no_known_class_are_not_scored(trained_on, labels, tmp_path: Path) -> None:
    run = trained_on("cat dog eel")
    levels = LEVELS | {"-1": 0, "9": 9}
    path = palette.write_arrays(tmp_path / "other.npz", labels or ["cat"] * 30, levels)
    if labels is None:
        np.savez(path, images=np.load(path)["images"])
    with pytest.raises(ZooError, match="palette is conditional, and no image of the train split"):
        run.evaluate(str(path), "train", metrics=["bits_per_dim"])


def renamed(run: zoo.Run, tmp_path: Path, old: str, new: str) -> dict:
    (tmp_path / "data" / old).rename(tmp_path / "data" / new)
    return {"steps": 4, "resume": True, "out": run.path, "device": "cpu", "quiet": True}


def test_a_conditional_run_does_not_resume_on_other_classes(trained_on, tmp_path: Path) -> None:
    run = trained_on("cat dog eel")
    before = (run.path / "config.json").read_bytes()
    options = renamed(run, tmp_path, "cat", "fox")
    with pytest.raises(UsageError) as caught:
        zoo.train("palette", **options)
    assert str(caught.value) == (
        f"{run.path} was started on the classes cat, dog, eel, but data has fox and lacks cat; "
        "pass the same data, or start another run with --out"
    )
    assert (run.path / "config.json").read_bytes() == before
    zoo.train("palette", **renamed(run, tmp_path, "fox", "cat"))


def test_a_conditional_run_does_not_resume_with_more_or_fewer_classes(
    trained_on, tmp_path: Path
) -> None:
    run = trained_on("cat dog eel")
    options = renamed(run, tmp_path, "eel", "dog/more")
    with pytest.raises(UsageError, match="but data lacks eel; pass the same data"):
        zoo.train("palette", **options)
    shutil.move(tmp_path / "data/dog/more", tmp_path / "data/eel")
    palette.write_folders(tmp_path / "data", {"fox": 20}, LEVELS)
    with pytest.raises(UsageError, match="but data has fox; pass the same data"):
        zoo.train("palette", **options)


def test_an_unconditional_run_resumes_and_says_it(trained_on, tmp_path: Path, commands) -> None:
    run = trained_on("cat dog eel", model="mono")
    renamed(run, tmp_path, "cat", "fox")
    result = commands("train", "mono", "--out", run.path, "--resume", "--steps", 4)
    assert result.status == 0, result
    assert "the classes of data are dog, eel, fox, and were cat, dog, eel: mono is uncond" in (
        result.err
    )
    assert zoo.load(run.path, "cpu").image_spec.class_names == ("dog", "eel", "fox")


def test_a_run_without_names_takes_indices_and_says_it(trained_on, commands, here: Path) -> None:
    run = trained_on("cat dog eel")
    values = json.loads((run.path / "config.json").read_text("utf-8"))
    del values["image"]["class_names"]
    for key in ("layout", "column", "value_range", "background", "split_rule"):
        values["config"]["data"].pop(key, None)
    (run.path / "config.json").write_text(json.dumps(values | {"format_version": 2}))
    old = zoo.load(run.path, "cpu")
    assert old.class_names == ()
    assert level(old.sample(1, labels=1)) == [120]
    with pytest.raises(UsageError, match="this palette was trained before runs kept class names"):
        old.sample(1, labels="dog")
    result = commands("sample", run.path, "--label", "2", "-n", 1, "-o", "x.npy")
    assert "this run has no class names, so --label is the index of a class" in result.err
    assert level(np.load("x.npy")) == [200]
    result = commands("evaluate", run.path, "--metric", "bits_per_dim")
    assert "this palette has no class names: labels are matched by their order" in result.err
    assert bits(old) == pytest.approx(RIGHT, rel=1e-3)


def test_an_old_run_is_not_resumed_with_another_number_of_classes(
    trained_on, tmp_path: Path
) -> None:
    run = trained_on("cat dog eel")
    values = json.loads((run.path / "config.json").read_text("utf-8"))
    values["image"]["class_names"] = []
    write_config(run.path, values)
    options = renamed(run, tmp_path, "eel", "dog/more")
    with pytest.raises(UsageError, match="was started on 3 classes, but data has 2: cat, dog; "):
        zoo.train("palette", **options)


def test_a_run_by_position_keeps_the_classes_of_all_splits(site, tmp_path: Path) -> None:
    """As before format version 3, whose conditional networks have a class of the test split."""
    site.add("zoo-palette", Path(palette.__file__).read_text("utf-8"), "zoo_palette")
    counts = {"train/cat": 12, "train/dog": 12, "test/eel": 4}
    data = palette.write_folders(tmp_path / "data", counts, LEVELS)
    options = {"out": tmp_path / "run", "device": "cpu", "quiet": True}
    config = {"data.split_rule": "position"}
    run = zoo.train("palette", data=data, config=config, steps=1, **options)
    assert run.class_names == ("cat", "dog", "eel")
    run = zoo.train("palette", steps=2, resume=True, **options)
    assert run.class_names == ("cat", "dog", "eel")
    (tmp_path / "data/train/dog").rename(tmp_path / "data/train/fox")
    with pytest.raises(UsageError, match="but data has fox and lacks dog"):
        zoo.train("palette", steps=3, resume=True, **options)


def test_images_without_a_label_are_not_trained_on(site, tmp_path: Path, commands) -> None:
    site.add("zoo-palette", Path(palette.__file__).read_text("utf-8"), "zoo_palette")
    labels = [5, -1, 3] * 40
    path = palette.write_arrays(tmp_path / "some.npz", labels, LEVELS | {"-1": 0})
    out = tmp_path / "run"
    result = commands("train", "palette", "--data", path, "--out", out, "--device", "cpu")
    assert result.status == 0, result
    assert "training images without a label are left out: palette needs them" in result.err
    run = zoo.load(out, "cpu")
    assert run.class_names == ("3", "5")
    assert level(run.sample(2, labels=[3, 5])) == [40, 120]
