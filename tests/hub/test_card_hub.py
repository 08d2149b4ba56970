"""Metadata of a card, as read by the Hub and its client."""

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
from sealed import write_config

import zoo
from zoo.evaluation import Evaluation, Metric, Protocol
from zoo.evaluation.metrics import write_evaluation
from zoo.report.card import front
from zoo.runs.folder import RunFolder

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from zoo_hub.card import refresh

PROTOCOL = Protocol("digits", "test", 90, 0, 4, 64, "exact")
METRICS = (
    Metric("bits_per_dim", 2.0625, "bits", PROTOCOL, 0.01),
    Metric("fid_cnn", 1e-7, "", PROTOCOL),
    Metric("recall_cnn", 0.0, "", PROTOCOL),
)


def write_metrics(folder: Path, metrics: tuple[Metric, ...] = METRICS) -> None:
    write_evaluation(
        folder,
        Evaluation(metrics, {"kid_cnn": "a reason | of mine"}, RunFolder(folder).short_digest()),
    )


def change_config(folder: Path, **keys: object) -> None:
    """Changes top-level values of config.json, and values of config.data."""
    values = json.loads((folder / "config.json").read_text("utf-8"))
    values["config"]["data"] |= keys.pop("data", {})  # type: ignore[call-overload]
    write_config(folder, values | keys)


@pytest.fixture
def run(exported: Callable[[str], zoo.Run], tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported("glow").path, tmp_path / "glow-digits"))


@pytest.mark.parametrize("model", sorted(SMALL))
def test_the_client_reads_metadata_and_metrics(
    exported: Callable[[str], zoo.Run], tmp_path: Path, model: str
) -> None:
    path = Path(shutil.copytree(exported(model).path, tmp_path / "run"))
    write_metrics(path)
    text = refresh(path, f"me/{model}-digits", "mit").read_text("utf-8")
    assert hub_metadata.validate(text, "model") == ([], [])
    data = ModelCard(text).data
    family = zoo.load(path).spec.family
    assert (data.library_name, data.license) == ("genzoo", "mit")
    assert data.pipeline_tag == "unconditional-image-generation"
    assert {model, family, "onnx"} <= {*data.tags}
    assert len(data.tags) == len({*data.tags})
    assert data.datasets is None, "the digits are not a dataset on the Hub"
    assert data.model_name == f"{model}-digits"
    results = data.eval_results
    assert [
        (result.task_type, result.dataset_type, result.dataset_name, result.dataset_split)
        for result in results
    ] == [("unconditional-image-generation", "digits", "digits", "test")] * 3
    assert {
        result.metric_type: (result.metric_name, result.metric_value) for result in results
    } == {
        "bits_per_dim": ("bits/dim", 2.0625),
        "fid_cnn": ("FID-CNN", 1e-7),
        "recall_cnn": ("recall-CNN", 0.0),
    }
    assert "Not measured: KID-CNN (a reason \\| of mine)." in text
    assert "https://arxiv.org/abs/" in text, "the Hub links the paper by this address"


def test_the_hub_validates_the_card_of_every_model(
    exported: Callable[[str], zoo.Run], hub: LoopbackHub, tmp_path: Path
) -> None:
    paths = []
    for model in sorted(SMALL):
        run = Path(shutil.copytree(exported(model).path, tmp_path / model))
        write_metrics(run)
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


def test_metrics_that_are_gone_leave_the_metadata(run: Path) -> None:
    write_metrics(run)
    refresh(run)
    write_metrics(run, METRICS[1:])
    results = ModelCard(refresh(run).read_text()).data.eval_results
    assert [result.metric_type for result in results] == ["fid_cnn", "recall_cnn"]
    (run / "metrics.json").unlink()
    text = refresh(run).read_text()
    assert ModelCard(text).data.eval_results is None
    assert "model-index" not in text


def test_a_metric_that_is_not_finite_is_omitted_with_a_note(run: Path) -> None:
    write_metrics(run)
    path = run / "metrics.json"
    values = json.loads(path.read_text("utf-8"))
    values["metrics"][1]["value"] = float("nan")
    values["metrics"][2]["standard_error"] = float("inf")
    path.write_text(json.dumps(values), "utf-8")
    with open(run / "metrics.jsonl", "a", encoding="utf-8") as file:
        file.write('{"step": 12, "epoch": 0.5, "seconds": 1.0, "loss": NaN, "bits_per_dim": 2.5}\n')
    text = refresh(run).read_text("utf-8")
    (result,) = ModelCard(text).data.eval_results
    assert result.metric_type == "bits_per_dim"
    assert "| bits/dim | 2.0625 ± 0.0100 [1] |" in text
    assert "Omitted, as the value is not finite: FID-CNN, recall-CNN." in text
    assert "| bits per dim (last logged) | 2.5000 |" in text
    assert "Omitted, as the last logged value is not finite: loss." in text
    assert "nan" not in text.lower().split()


@pytest.mark.parametrize(
    ("source", "stored", "datasets", "row"),
    [
        ("mnist", None, ["ylecun/mnist"], "[mnist](https://huggingface.co/datasets/ylecun/mnist)"),
        ("me/birds@v1:small", None, ["me/birds"], "(https://huggingface.co/datasets/me/birds)"),
        ("mnist", {}, None, "| data | mnist |"),
        ("birds", None, None, "| data | birds |"),
    ],
)
def test_datasets_of_the_hub_are_linked(
    run: Path, source: str, stored: dict | None, datasets: list[str] | None, row: str
) -> None:
    """With ``stored`` None config.json is that of an older run; else mnist is a folder's name."""
    (run / "checkpoints/data.json").unlink()
    summary = {} if stored is None else {"parameters": 5}
    change_config(run, data={"source": source}, summary=summary)
    text = refresh(run).read_text("utf-8")
    assert ModelCard(text).data.datasets == datasets
    assert row in text
    license = "MIT" if datasets == ["ylecun/mnist"] else "unknown"
    assert f"| data license | {license} |" in text
    assert ("| stored values |" in text) == (stored is None)


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
def test_names_of_data_never_break_yaml_or_markdown(run: Path, name: str) -> None:
    from markdown_it import MarkdownIt

    change_config(run, data={"source": name}, summary={"dataset": name, "data_license": name})
    protocol = Protocol(name, "test", 90, 0, 4, 64, f"by {name}")
    write_metrics(run, (Metric("nats", 1.5, "nats", protocol),))
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
    assert "".join(child.content for child in title.children) == f"glow-digits: Glow on {shown}"
    cells = [t.children for a, t in pairwise(tokens) if a.type == "td_open"]
    texts = ["".join(child.content for child in cell) for cell in cells]
    assert texts[texts.index("data") + 1] == shown
    assert texts[texts.index("data license") + 1] == shown
    assert texts[texts.index("seed") + 1] == "0"
    assert body.count("<!-- zoo: end -->") == 4
    html = [t.content for t in tokens if t.type == "html_block"]
    assert not any("script" in block for block in html)
