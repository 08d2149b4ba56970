"""Names of classes in, the same names out: through training to the graphs and the page."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import palette
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from zoo import hookspecs
from zoo.config.resolve import Setting
from zoo.plugins.host import Host, Plugin
from zoo.run import Run, train
from zoo.system.progress import Progress
from zoo.training.request import Request

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from zoo_onnx import OnnxModel
from zoo_onnx.export import export
from zoo_web.description import describe

RIGHT = 1 / (palette.SIZE**2 * np.log(2))

WORDS = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S"), exclude_characters="/\\"),
    min_size=1,
    max_size=12,
).filter(lambda name: not name.startswith(".") and name.isprintable())
"""Names of folders; none of them is known to genzoo as a split, a mask or an output."""

PREFIXED = WORDS.map(lambda name: f"k{name}")
INTEGERS = st.integers(-300, 300).filter(lambda number: number != -1).map(str)
NAMES = st.one_of(
    st.lists(PREFIXED, min_size=2, max_size=4, unique_by=str.lower),
    st.lists(INTEGERS, min_size=2, max_size=4, unique=True),
)


@st.composite
def labels(pick: Any) -> list[str]:
    """The label of each image, in any order: 8 to 20 images of each class."""
    names = pick(NAMES)
    counts = [pick(st.integers(8, 20)) for _ in names]
    each = [name for name, count in zip(names, counts, strict=True) for _ in range(count)]
    return pick(st.permutations(each))


def write(path: Path, labels: list[str], levels: dict[str, int]) -> str:
    """Writes images with these labels, as an ``.npz`` or, without that suffix, as folders."""
    images = [palette.gray(levels[label], i) for i, label in enumerate(labels)]
    if path.suffix == ".npz":
        integers = all(label.removeprefix("-").isdecimal() for label in labels)
        values = [int(label) for label in labels] if integers else labels
        np.savez(path, images=np.stack(images), labels=np.array(values))
        return str(path)
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        (path / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path / label / f"{i:03}.png")
    return str(path)


def trained(host: Host, out: Path, source: str, steps: int, resume: bool = False) -> Run:
    values = [("data", "source", source), ("training", "steps", steps)]
    if not resume:
        values += [("data", "layout", "classes")] if Path(source).is_dir() else []
    chosen = [Setting(section, key, value, "test") for section, key, value in values]
    request = Request("palette", settings=chosen, out=out, resume=resume, device="cpu")
    return train(host, request, Progress())


def bits(run: Run, source: str, split: str) -> float:
    return run.evaluate(source, split, metrics=["bits_per_dim"])["bits_per_dim"].value


class Case:
    """A run of ``palette`` in ``root`` on images with these labels."""

    def __init__(self, root: Path, labels: list[str], arrays: bool, random: Any) -> None:
        self.host = Host(hookspecs)
        assert self.host.add(Plugin("palette", "tests", "0"), palette).cause is None
        self.names = {*labels}
        self.integers = all(name.removeprefix("-").isdecimal() for name in self.names)
        ordered = sorted(self.names, key=int) if self.integers else sorted(self.names)
        self.expected = tuple(ordered)
        levels = random.sample(range(20, 250, 15), len(self.names))
        self.levels = dict(zip(ordered, levels, strict=True))
        self.source = write(root / ("own.npz" if arrays else "own"), labels, self.levels)
        self.run = trained(self.host, root / "run", self.source, 1)

    def check_samples(self, model: Any) -> None:
        assert model.class_names == self.expected
        for name in self.names:
            for label in (name, int(name)) if self.integers else (name,):
                samples = (255 * np.asarray(model.sample(2, labels=label))).round()
                assert {*samples.flatten().tolist()} == {self.levels[name]}


@settings(max_examples=4, deadline=None, derandomize=True, database=None)
@given(labels(), st.booleans(), st.randoms(use_true_random=False))
def test_names_survive_resumption_and_evaluation(
    labels: list[str], arrays: bool, random: Any
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        case = Case(Path(folder), labels, arrays, random)
        case.check_samples(case.run)
        stored = json.loads((case.run.path / "config.json").read_text("utf-8"))
        assert stored["image"]["class_names"] == list(case.expected)
        run = trained(case.host, case.run.path, case.source, 2, resume=True)
        case.check_samples(run)
        fewer = [label for label in labels if label != case.expected[0]] + ["kother"] * 3
        path = Path(folder) / ("other" if arrays else "other.npz")
        other = write(path, fewer, case.levels | {"kother": 7})
        assert bits(run, case.source, "train") == pytest.approx(RIGHT, rel=1e-2)
        assert bits(run, other, "train") == pytest.approx(RIGHT, rel=1e-2)


@settings(max_examples=2, deadline=None, derandomize=True, database=None)
@given(labels(), st.booleans(), st.randoms(use_true_random=False))
def test_names_survive_to_the_graphs_and_the_page(
    labels: list[str], arrays: bool, random: Any
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        case = Case(Path(folder), labels, arrays, random)
        paths = {graph.path.stem: graph.path for graph in export(case.run, "sampler")}
        case.check_samples(OnnxModel.load(case.run.path))
        page = json.loads(json.dumps(describe(case.run.path, paths)))
        assert page["class_names"] == list(case.expected)
