"""``zoo card`` writes genzoo's parts of a card again and keeps what a person wrote."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import hub_metadata
import pytest
from command_line import Commands
from sealed import write_weights

import zoo
from zoo.errors import UsageError
from zoo.report.card import front
from zoo.runs.weights import load_tensors

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from zoo_hub.card import card_text, license_of, refresh
from zoo_hub.card.licenses import LICENSES

PERSON = """---
# who may use it
license: cc-by-4.0   # my choice
library_name: genzoo
tags: [digits, glow, "1"]
base_model: me/other
model-index:
- name: Mine
  results:
  - task: {type: image-classification}
    dataset: {type: digits, name: digits}
    metrics: [{type: accuracy, value: 0.5}]
---
"""


@pytest.fixture
def run(exported: Callable[[str], zoo.Run], tmp_path: Path) -> Path:
    """A conditional Glow with its graphs, to change."""
    return Path(shutil.copytree(exported("glow").path, tmp_path / "glow-digits"))


def card(folder: Path) -> str:
    return (folder / "README.md").read_text("utf-8")


def metadata(folder: Path) -> dict:
    return front.read(front.split(card(folder))[0])


def test_it_adds_graphs_and_is_idempotent(commands: Commands, run: Path) -> None:
    assert "onnx/sampler.onnx" not in card(run), "training exports no graphs"
    result = commands("card", run)
    assert (result.status, result.out) == (0, f"{run / 'README.md'}\n")
    assert result.err == (
        f"the card has no license for the weights: zoo card {run} --license mit, or another\n"
    )
    first = card(run)
    report = json.loads((run / "onnx/sampler.json").read_text("utf-8"))
    (row,) = [line for line in first.splitlines() if line.startswith("| `onnx/sampler.onnx`")]
    error = f"{report['outputs']['image']['max_abs_error_float64']:.1e}"
    for text in (
        f"{report['bytes'] / 1e3:.1f} kB" if report["bytes"] < 1e6 else " MB |",
        "| float32 |",
        "`z` float32 [batch, 64], standard normal",
        "`label` int64 [batch], 0 to 9",
        "`image` float32 [batch, 1, 8, 8] in [0, 1]",
        f"`image` {error}",
    ):
        assert text in row
    assert "| `onnx/encoder.onnx` |" in first
    assert metadata(run)["tags"] == ["glow", "flow", "normalizing-flow", "onnx"]
    assert "license" not in metadata(run)
    assert commands("card", run, "--license", "mit").err == ""
    second = card(run)
    assert license_of(second) == metadata(run)["license"] == "mit"
    assert set(second.splitlines()) - set(first.splitlines()) == {"license: mit"}
    commands("card", run)
    assert card(run) == second


def test_edits_of_a_person_survive(commands: Commands, run: Path) -> None:
    commands("card", run)
    _, body = front.split(card(run))
    body = body.replace("## This run", "A word of mine.\n\n## My run", 1)
    body = body.replace("| parameters |", "| changed inside a part |", 1)
    (run / "README.md").write_text(PERSON + body + "\nThe end.\n", "utf-8")
    for _ in range(2):
        assert commands("card", run).status == 0
        text = card(run)
        found = metadata(run)
        assert "A word of mine.\n\n## My run\n" in text
        assert text.endswith("\nThe end.\n")
        assert "changed inside a part" not in text
        assert text.startswith("---\n# who may use it\nlicense: cc-by-4.0   # my choice\n")
        assert found["license"] == "cc-by-4.0"
        assert found["base_model"] == "me/other"
        assert found["tags"] == ["digits", "glow", "1", "flow", "onnx"]
        assert found["pipeline_tag"] == "unconditional-image-generation"
        assert commands("evaluate", run, "--metric", "nats").status == 0
    assert "| nats per image |" in card(run)
    ((mine, ours),) = [entry["results"] for entry in metadata(run)["model-index"]]
    assert mine["metrics"] == [{"type": "accuracy", "value": 0.5}]
    assert ours["metrics"][0]["type"] == "nats"
    assert metadata(run)["model-index"][0]["name"] == "Mine"


def test_a_removed_part_stays_out_and_a_lost_mark_deletes_nothing(run: Path) -> None:
    refresh(run)
    text = card(run)
    before, _, rest = text.partition("<!-- zoo: use")
    _, _, after = rest.partition("<!-- zoo: end -->")
    assert "import zoo" in rest.partition("<!-- zoo: end -->")[0]
    (run / "README.md").write_text(before + after, "utf-8")
    refresh(run)
    assert card(run) == before + after
    head, end, tail = text.partition("<!-- zoo: end -->")  # the end mark of the first part is lost
    assert end
    (run / "README.md").write_text(f"{head}Mine.{tail}", "utf-8")
    refresh(run)
    assert card(run) == f"{head}Mine.{tail}"


@pytest.mark.parametrize("text", ["All mine.\n", "---\nlicense: mit\n---\n# Mine\n", ""])
def test_a_card_without_marks_is_kept(commands: Commands, run: Path, text: str) -> None:
    path = run / "README.md"
    path.write_text(text, "utf-8")
    assert card_text(run, "me/glow") is None
    assert commands.fails(2, "card", run) == (
        f"{path} has no parts marked by genzoo and stays unchanged: zoo card {run} --new writes a "
        "new card and keeps this one beside it"
    )
    assert card(run) == text
    for name in ("README.old.md", "README.old-2.md"):
        assert commands("card", run, "--new").status == 0
        assert (run / name).exists()
    assert (run / "README.old.md").read_text("utf-8") == text
    assert card_text(run, "me/glow")
    assert "onnx/sampler.onnx" in card(run)
    path.unlink()
    assert commands("card", run).status == 0, "a missing card is written"
    assert card(run) == (run / "README.old-2.md").read_text("utf-8")


def test_damaged_metadata_is_reported_and_kept(commands: Commands, run: Path) -> None:
    path = run / "README.md"
    text = card(run).replace("library_name: genzoo", "library_name: 'genzoo", 1)
    path.write_text(text, "utf-8")
    error = commands.fails(1, "card", run)
    assert error.startswith("the metadata of the card is not valid YAML, line ")
    assert license_of(text) is None
    result = commands("evaluate", run, "--metric", "nats")
    assert result.status == 0
    assert "the card is not updated: the metadata of the card is not valid YAML" in result.err
    assert card(run) == text
    path.write_bytes(b"\xff\xfe")
    assert commands.fails(1, "card", run) == f"{path} is not UTF-8: save it as UTF-8"


def test_a_repository_is_kept_until_another_is_given(commands: Commands, run: Path) -> None:
    commands("card", run, "--repository", "me/glow.digits-1")
    first = card(run)
    assert 'zoo.load("me/glow.digits-1")' in first
    assert 'hf_hub_download("me/glow.digits-1", "onnx/sampler.onnx")' in first
    commands("card", run)
    commands("evaluate", run, "--metric", "nats")
    assert card(run).count("me/glow.digits-1") == first.count("me/glow.digits-1")
    refresh(run, repository="team/glow")
    assert "me/glow.digits-1" not in card(run)
    assert 'zoo.load("team/glow")' in card(run)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--license", "MIT"], "'MIT' is not a license id of the Hub: did you mean 'mit'?"),
        (["--license", "xyzzy"], "'xyzzy' is not a license id of the Hub; examples are mit, "),
        (["--repository", "glow"], "'glow' is not a Hub repository: name one as user/repo"),
        (["--repository", 'a/b") or ("'], "is not a Hub repository"),
    ],
)
def test_invalid_options_are_refused(
    commands: Commands, run: Path, arguments: list[str], message: str
) -> None:
    before = card(run)
    assert message in commands.fails(2, "card", run, *arguments)
    assert card(run) == before


def test_a_run_on_the_hub_is_refused(commands: Commands, here: Path) -> None:
    assert commands.fails(2, "card", "user/repo") == (
        "user/repo is not a local folder: name a folder, or fetch the run into one with zoo pull"
    )


def test_licenses_are_those_of_the_hub() -> None:
    assert {*hub_metadata.LICENSES} == LICENSES
    with pytest.raises(UsageError):
        refresh(Path("nothere"), license="none")


def test_graphs_of_other_weights_or_without_a_valid_report_are_omitted(run: Path) -> None:
    refresh(run)
    report = run / "onnx/encoder.json"
    values = json.loads(report.read_text("utf-8"))
    report.write_text(json.dumps(values | {"classes": '10"); import os #'}), "utf-8")
    refresh(run)
    assert "onnx/encoder.onnx" not in card(run)
    with open(run / "onnx/sampler.onnx", "ab") as file:
        file.write(b"\0")
    refresh(run)
    assert "ONNX" not in card(run).partition("## Licences")[0]
    assert "onnx" not in metadata(run)["tags"]
    report.write_text(json.dumps(values), "utf-8")
    refresh(run)
    assert "onnx/encoder.onnx" in card(run)
    weights = load_tensors(run / "model.safetensors")
    write_weights(run, {name: tensor + 1 for name, tensor in weights.items()})
    refresh(run)
    assert "onnx/encoder.onnx" not in card(run)


def test_resumed_training_keeps_the_text_and_drops_the_graphs(
    commands: Commands, run: Path
) -> None:
    refresh(run, "me/glow")
    (run / "README.md").write_text(card(run) + "\nMine.\n", "utf-8")
    again = ("train", "glow", "--out", run, "--resume", "--steps", "14", "--device", "cpu")
    assert commands(*again).status == 0
    assert card(run).endswith("\nMine.\n")
    assert "| steps | 14 |" in card(run)
    assert 'zoo.load("me/glow")' in card(run)
    assert "| `onnx/sampler.onnx` |" not in card(run)


def test_it_loads_no_torch(run: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from zoo_hub.card import refresh; "
        f"refresh(Path({str(run)!r})); assert 'onnx/sampler' in Path({str(run)!r}, 'README.md')"
        ".read_text(); print({*sys.modules} & {'torch', 'onnx', 'onnxruntime', 'datasets'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("set()\n", "")
