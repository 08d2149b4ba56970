"""A card's metadata as the Hub and its client read them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import hub_metadata
import pytest
from exported import SMALL
from huggingface_hub import ModelCard
from loopback_hub import LoopbackHub

import zoo
from zoo.evaluation import Evaluation, Facts, Figure
from zoo.evaluation.figures import write_evaluation
from zoo.report.card import front
from zoo.runs.folder import RunFolder

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from zoo_hub.card import refresh

FACTS = Facts("digits", "test", 90, 0, 4, 64, "exact")
FIGURES = (
    Figure("bits_per_dim", 2.0625, "bits", FACTS, 0.01),
    Figure("fid_cnn", 1e-7, "", FACTS),
    Figure("recall_cnn", 0.0, "", FACTS),
)


def measured(folder: Path, figures: tuple[Figure, ...] = FIGURES) -> None:
    write_evaluation(
        folder,
        Evaluation(figures, {"kid_cnn": "a reason | of mine"}, RunFolder(folder).short_digest()),
    )


def changed(folder: Path, **keys: object) -> None:
    """config.json with other values at its first level, and of config.data."""
    path = folder / "config.json"
    values = json.loads(path.read_text("utf-8"))
    values["config"]["data"] |= keys.pop("data", {})  # type: ignore[call-overload]
    path.write_text(json.dumps(values | keys), "utf-8")


@pytest.fixture
def run(exported: Callable[[str], zoo.Run], tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported("glow").path, tmp_path / "glow-digits"))


@pytest.mark.parametrize("model", sorted(SMALL))
def test_the_client_reads_metadata_and_figures(
    exported: Callable[[str], zoo.Run], tmp_path: Path, model: str
) -> None:
    path = Path(shutil.copytree(exported(model).path, tmp_path / "run"))
    measured(path)
    text = refresh(path, f"me/{model}-digits", "mit").read_text("utf-8")
    assert hub_metadata.validate(text, "model") == ([], [])
    data = ModelCard(text).data
    family = zoo.load(path).spec.family
    assert (data.library_name, data.license) == ("genzoo", "mit")
    assert data.pipeline_tag == "unconditional-image-generation"
    assert {model, family, "onnx"} <= {*data.tags}
    assert len(data.tags) == len({*data.tags})
    assert data.datasets is None, "the digits are of no data set on the Hub"
    assert data.model_name == f"{model}-digits"
    assert [
        (one.task_type, one.dataset_type, one.dataset_name, one.dataset_split)
        for one in data.eval_results
    ] == [("unconditional-image-generation", "digits", "digits", "test")] * 3
    found = {one.metric_type: (one.metric_name, one.metric_value) for one in data.eval_results}
    assert found == {
        "bits_per_dim": ("bits/dim", 2.0625),
        "fid_cnn": ("FID-CNN", 1e-7),
        "recall_cnn": ("recall-CNN", 0.0),
    }
    assert "Not counted: KID-CNN, for a reason \\| of mine." in text
    assert "https://arxiv.org/abs/" in text, "by this the Hub links the paper"


def test_the_hub_validates_every_models(
    exported: Callable[[str], zoo.Run], hub: LoopbackHub, tmp_path: Path
) -> None:
    paths = []
    for model in sorted(SMALL):
        run = Path(shutil.copytree(exported(model).path, tmp_path / model))
        measured(run)
        paths.append(refresh(run, f"tester/{model}-digits", "apache-2.0"))
    code = (
        "import sys; from huggingface_hub import ModelCard\n"
        "for path in sys.argv[1:]: ModelCard.load(path).validate()\n"
        "print('valid')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *paths],
        env=hub.environment(tmp_path / "home"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "valid\n", done.stderr
    assert len(hub.requests("POST", "validate-yaml")) == len(paths)


def test_figures_that_are_gone_leave_the_metadata(run: Path) -> None:
    measured(run)
    refresh(run)
    measured(run, FIGURES[1:])
    types = [one.metric_type for one in ModelCard(refresh(run).read_text()).data.eval_results]
    assert types == ["fid_cnn", "recall_cnn"]
    (run / "metrics.json").unlink()
    text = refresh(run).read_text()
    assert ModelCard(text).data.eval_results is None
    assert "model-index" not in text


def test_a_figure_that_is_not_finite_is_left_out_and_said(run: Path) -> None:
    measured(run)
    path = run / "metrics.json"
    values = json.loads(path.read_text("utf-8"))
    values["figures"][1]["value"] = float("nan")
    values["figures"][2]["standard_error"] = float("inf")
    path.write_text(json.dumps(values), "utf-8")
    with open(run / "metrics.jsonl", "a", encoding="utf-8") as file:
        file.write('{"step": 12, "epoch": 0.5, "seconds": 1.0, "loss": NaN, "bits_per_dim": 2.5}\n')
    text = refresh(run).read_text("utf-8")
    assert [one.metric_type for one in ModelCard(text).data.eval_results] == ["bits_per_dim"]
    assert "| bits/dim | 2.0625 ± 0.0100 [1] |" in text
    assert "Left out, for it is not finite: FID-CNN, recall-CNN." in text
    assert "| bits per dim (last logged) | 2.5000 |" in text
    assert "Left out, for what was logged last is not finite: loss." in text
    assert "nan" not in text.lower().split()


@pytest.mark.parametrize(
    ("source", "facts", "datasets", "row"),
    [
        ("mnist", None, ["ylecun/mnist"], "[mnist](https://huggingface.co/datasets/ylecun/mnist)"),
        ("me/birds@v1:small", None, ["me/birds"], "(https://huggingface.co/datasets/me/birds)"),
        ("mnist", {}, None, "| data | mnist |"),
        ("birds", None, None, "| data | birds |"),
    ],
)
def test_data_of_the_hub_are_named(
    run: Path, source: str, facts: dict | None, datasets: list[str] | None, row: str
) -> None:
    """``facts`` None is a run of before config.json kept them, else mnist is a folder's name."""
    (run / "checkpoints/data.json").unlink()
    known = {} if facts is None else {"parameters": 5}
    changed(run, data={"source": source}, facts=known)
    text = refresh(run).read_text("utf-8")
    assert ModelCard(text).data.datasets == datasets
    assert row in text
    license = "MIT" if datasets == ["ylecun/mnist"] else "not known to genzoo"
    assert f"| licence of the data | {license} |" in text
    assert ("| numbers in the weights |" in text) == (facts is None)


HOSTILE = [
    'a "quoted": [name], {x: y}',
    "a\n---\nlicense: mit\n- b: 'c",
    "a | b ` c <!-- zoo: end --> d",
    "#*_[x](y)_*~~ $facts $$ \\",
    "<script>alert(1)</script> ```",
    "\u2028x\x00y\t",
    "!!python/object/apply:os.system ['true'] &a *a",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_of_data_breaks_yaml_or_markdown(run: Path, name: str) -> None:
    from markdown_it import MarkdownIt

    changed(run, data={"source": name}, facts={"dataset": name, "data_licence": name})
    facts = Facts(name, "test", 90, 0, 4, 64, f"by {name}")
    measured(run, (Figure("nats", 1.5, "nats", facts),))
    path = refresh(run, license="cc0-1.0", new=True)
    text = path.read_text("utf-8")
    refresh(run)
    assert path.read_text("utf-8") == text
    assert hub_metadata.validate(text, "model") == ([], [])
    data = ModelCard(text).data
    assert (data.license, data.tags) == ("cc0-1.0", ["glow", "flow", "normalizing-flow", "onnx"])
    assert (len(data.eval_results), data.datasets) == (1, None)
    shown = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    assert data.eval_results[0].dataset_name == shown
    body = front.split(text)[1]
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(body)
    title = next(token for token in tokens if token.type == "inline")
    assert "".join(one.content for one in title.children) == f"glow-digits: Glow on {shown}"
    cells = [t.children for a, t in pairwise(tokens) if a.type == "td_open"]
    texts = ["".join(one.content for one in cell) for cell in cells]
    assert texts[texts.index("data") + 1] == shown
    assert texts[texts.index("licence of the data") + 1] == shown
    assert texts[texts.index("seed") + 1] == "0"
    assert body.count("<!-- zoo: end -->") == 4
    html = [t.content for t in tokens if t.type == "html_block"]
    assert not any("script" in one for one in html)
