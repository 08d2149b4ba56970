"""A run whose names are hostile, beside the same run with harmless ones, through every command."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import onnx
import pytest
from command_line import Result
from hostile_text import HOSTILE, harmless
from markdown_it import MarkdownIt
from sealed import write_config

import zoo
from zoo.errors import printable
from zoo.evaluation import Evaluation, Metric, Protocol
from zoo.evaluation.metrics import write_evaluation
from zoo.report.card import front, markdown
from zoo.runs.folder import RunFolder
from zoo.sampling.names import listed
from zoo.system.files import sha256_of

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

DATA = "a\x1b[31mb\u202e [red]<script>alert(1)</script>\n---\n# zoo: all is well | $\\frac{$ `c`"
METRIC = "x\x1b[2J\n$\\frac{ | loss"
PLAIN = ("data", "loss", *(f"name {number}" for number in range(10)))


def rename(run: Path, data: str, metric: str, *names: str) -> Path:
    """Writes names into every file of a run that has some."""
    values = json.loads((run / "config.json").read_text())
    values["image"]["class_names"] = list(names)
    values["config"]["data"]["source"] = data
    values["summary"] |= {"dataset": data, "data_license": data}
    values["versions"] |= {"torch": data}
    values["hardware"] |= {"name": data}
    write_config(run, values)
    line = {"step": 12, "epoch": 1.0, "seconds": 2.0, metric: 1.5}
    (run / "metrics.jsonl").write_text(json.dumps(line) + "\n")
    for graph in ("sampler", "encoder"):
        file, report = run / f"onnx/{graph}.onnx", run / f"onnx/{graph}.json"
        texts = {"data": data, "title": data, "paper": data, "data_licence": data}
        model = onnx.load(file)
        stored = {entry.key: entry.value for entry in model.metadata_props} | texts
        onnx.helper.set_model_props(model, stored | {"class_names": json.dumps(names)})
        onnx.save(model, file)
        values = json.loads(report.read_text()) | texts
        values |= {"class_names": names, "sha256": sha256_of(file), "onnxruntime_version": data}
        report.write_text(json.dumps(values))
    (run / f"samples/{metric}.png").write_bytes(b"damaged")
    protocol = Protocol(data, "test", 90, 0, 4, 64, data)
    metrics = (Metric("nats", 1.5, "nats", protocol),)
    write_evaluation(run, Evaluation(metrics, {"kid_cnn": data}, RunFolder(run).short_digest()))
    return run


@dataclass(frozen=True)
class Pair:
    """A run with hostile names, and its harmless twin."""

    hostile: Path
    harmless: Path

    def both(self, commands: Any, *arguments: object) -> Result:
        """Runs a command with each, ``RUN`` in its arguments; asserts that they end alike, and
        returns the result of the hostile one."""
        results = [
            commands(*(str(argument).replace("RUN", str(run)) for argument in arguments))
            for run in (self.harmless, self.hostile)
        ]
        usual, result = results
        assert harmless(result.out + result.err), result
        assert result.status == usual.status, result
        assert "internal error" not in result.err
        assert result.out.count("\n") == usual.out.count("\n"), results
        assert result.err.count("\n") == usual.err.count("\n"), results
        assert not any(line.startswith("# zoo: ") for line in result.out.splitlines())
        return result


@pytest.fixture
def pair(exported: Callable[[str], zoo.Run], here: Path) -> Pair:
    runs = [Path(shutil.copytree(exported("glow").path, here / name)) for name in ("bad", "ok!")]
    for run in runs:
        shutil.rmtree(run / "checkpoints")
    return Pair(rename(runs[0], DATA, METRIC, *HOSTILE), rename(runs[1], *PLAIN))


COMMANDS: tuple[tuple[str, ...], ...] = (
    ("sample", "RUN", "-n", "1", "-o", "RUN/new/x.npy"),
    ("sample", "RUN", "--label", "none\x1b of\nthem"),
    ("sample", "RUN", "--backend", "onnx", "-n", "1", "-o", "RUN/new/y.npy"),
    ("sample", "RUN", "--backend", "onnx", "--label", "none\x1b of\nthem"),
    ("reconstruct", "RUN"),
    ("evaluate", "RUN"),
    ("evaluate", "RUN", "--data", "digits", "-n", "4", "--metric", "bits_per_dim"),
    ("verify", "RUN"),
    ("card", "RUN"),
    ("card", "RUN", "--new"),
    ("demo", "RUN"),
    ("train", "glow", "--resume", "--out", "RUN"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_name_forges_a_line_or_controls_the_terminal(
    command: tuple[str, ...], pair: Pair, commands
) -> None:
    pair.both(commands, *command)


def test_a_comparison_has_a_row_for_each_run_and_a_plot(pair: Pair, commands) -> None:
    other = Path(shutil.copytree(pair.hostile, pair.hostile.with_name("other")))
    result = commands("compare", other, pair.hostile, "-o", "plot.png")
    assert result.status == 0, result
    assert harmless(result.out + result.err)
    *tables, note = result.out.split("\n\n")
    tokens = MarkdownIt("commonmark").enable("table").parse("\n\n".join(tables))
    cells = [token.children for token in tokens if token.type == "inline"]
    texts = ["".join(child.content for child in children) for children in cells]
    assert {len(table.splitlines()) for table in tables if table.startswith("|")} == {4}
    assert markdown.plain(METRIC).replace("_", " ") in texts
    name = markdown.plain(DATA)
    shortened = [t for t in texts if "…" in t and t.startswith(name[:4]) and t.endswith(name[-4:])]
    assert len(shortened) == 2
    assert note == "plot: plot.png\n"
    assert Path("plot.png").stat().st_size > 10_000


def test_a_card_has_the_names_as_text(pair: Pair, commands) -> None:
    for new in ((), ("--new",)):
        for run in (pair.harmless, pair.hostile):
            assert commands("card", run, *new).status == 0
        text = (pair.hostile / "README.md").read_text("utf-8")
        usual = (pair.harmless / "README.md").read_text("utf-8")
        assert harmless(text)
        assert kinds(text) == kinds(usual)
        metadata = front.read(front.split(text)[0])
        assert metadata.keys() == front.read(front.split(usual)[0]).keys()
        assert metadata["model-index"][0]["results"][0]["dataset"]["name"] == markdown.plain(DATA)
        shown = " ".join(texts(text))
        assert f"{markdown.plain(METRIC)} (last logged)" in shown
        assert markdown.plain(listed(HOSTILE)) in shown


def kinds(text: str) -> list[str]:
    """The blocks and the markup of a card, in order."""
    found = []
    for token in MarkdownIt("commonmark").enable("table").parse(front.split(text)[1]):
        found += [token.type, *(c.type for c in token.children or [] if c.type != "text")]
    return found


def texts(text: str) -> list[str]:
    tokens = MarkdownIt("commonmark").enable("table").parse(front.split(text)[1])
    return ["".join(c.content for c in token.children) for token in tokens if token.children]


class Tags(HTMLParser):
    """The tags of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, list[str]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, [name for name, _ in attrs]))


def test_a_page_and_a_space_have_the_names_as_text(pair: Pair, commands) -> None:
    for run in (pair.harmless, pair.hostile):
        assert commands("demo", run).status == 0
    hostile, usual = pair.hostile / "demo", pair.harmless / "demo"
    pages = [(folder / "index.html").read_text("utf-8") for folder in (hostile, usual)]
    assert Tags(pages[0]).found == Tags(pages[1]).found
    model = json.loads((hostile / "model.json").read_text())
    assert model["class_names"] == list(HOSTILE)
    assert model["data"] == DATA
    cards = [(folder / "README.md").read_text("utf-8") for folder in (hostile, usual)]
    assert harmless(cards[0])
    assert kinds(cards[0]) == kinds(cards[1])
    metadata = [front.read(front.split(card)[0]) for card in cards]
    assert metadata[0] | {"title": ""} == metadata[1] | {"title": ""}


def test_graphs_have_the_names_as_they_are(pair: Pair, commands) -> None:
    result = commands("export", pair.hostile)
    assert (result.status, result.out.count("\n")) == (0, 2)
    assert harmless(result.out + result.err)
    for graph in ("sampler", "encoder"):
        model = onnx.load(pair.hostile / f"onnx/{graph}.onnx")
        stored = {entry.key: entry.value for entry in model.metadata_props}
        assert json.loads(stored["class_names"]) == list(HOSTILE)
        assert stored["data"] == DATA


def test_names_are_shown_with_their_escapes(pair: Pair, commands) -> None:
    sentence = commands.fails(2, "sample", pair.hostile, "--label", "none")
    assert "[red]dog[/red]" in sentence
    assert "\\x1b" in sentence
    result = commands("verify", pair.hostile, "--json")
    assert harmless(result.out)
    problem = commands("evaluate", pair.hostile).sentence
    assert printable(DATA)[:20] in problem


def test_a_command_that_a_message_advises_is_safe_to_paste(trained_copy: Path, commands) -> None:
    values = json.loads((trained_copy / "config.json").read_text())
    model = "glow; touch evil\x1b[2K\nzoo: all is well; $(touch evil) #"
    (trained_copy / "config.json").write_text(json.dumps(values | {"model": model}))
    result = commands("verify", trained_copy)
    assert result.status == 1
    assert harmless(result.out + result.err)
    command = result.out.partition("set it back, or ")[2]
    words = ["zoo", "train", printable(model), "--out", str(trained_copy), "--resume"]
    assert shlex.split(command)[:6] == words
