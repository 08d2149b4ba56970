"""The tutorial, docs/plugins.md, done as it stands in an environment with our wheel and no tree.

Its commands are run in their order and its changes applied; what it shows of a command's output
must be printed, but for the numbers in it.
"""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pytest
from environments import end, make_environment
from PIL import Image
from project import ROOT

PAGE = ROOT / "docs/plugins.md"


def blocks() -> list[tuple[str, str]]:
    """The tutorial's blocks of code: language and text. The plugin below it has a test of its
    own, test_whole_plugin.py."""
    tutorial, _, _ = PAGE.read_text("utf-8").partition("## A whole one on a page")
    return re.findall(r"^```(\w+)\n(.*?)^```$", tutorial, re.DOTALL | re.MULTILINE)


def commands(block: str) -> list[tuple[str, list[str]]]:
    """Each command of a console block, with the lines that the page shows of its output."""
    shown: list[tuple[str, list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            shown.append((line.removeprefix("$ "), []))
        else:
            shown[-1][1].append(line)
    return shown


def plain(line: str) -> str:
    """A line without what differs between machines: numbers, the width of columns, and the hours,
    minutes and seconds that pytest adds where it took a minute."""
    line = re.sub(r" \(\d+:\d\d:\d\d\)$", "", line)
    return " ".join(re.sub(r"\d[\d.,e+-]*", "#", line).split())


def do(command: str, shown: list[str], folder: Path, env: Path) -> None:
    """Run a command; it must end well, unless the page shows that it does not."""
    path = f"{env / 'bin'}:/usr/bin:/bin"
    done = end("sh", "-c", command, cwd=folder, PATH=path)
    said = done.stdout + done.stderr
    failed = any(line.startswith("BROKEN") for line in shown)
    assert done.returncode == int(failed), f"{command} ended with {done.returncode}\n{said}"
    missing = {plain(line) for line in shown} - {plain(line) for line in said.splitlines()}
    assert not missing, f"{command} does not print {missing}, but\n{said}"


def change(block: str, folder: Path) -> None:
    """Apply a change: what stands there once, without ``+``, becomes what has no ``-``."""
    name, *lines = block.splitlines()
    path = folder / name.removeprefix("--- ")
    text = path.read_text("utf-8")
    old = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("+"))
    new = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("-"))
    assert text.count(old) == 1, f"{path} has not once\n{old}"
    path.write_text(text.replace(old, new), "utf-8")


@pytest.fixture(scope="module")
def learner(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of somebody who has done all that the page says, but for building a wheel."""
    folder = tmp_path_factory.mktemp("learner")
    env = make_environment(tmp_path_factory.mktemp("environment"), wheel)
    for language, text in blocks():
        match language:
            case "console":
                for command, shown in commands(text):
                    do(command, shown, folder, env)
            case "diff":
                change(text, folder)
            case "python":
                path = folder / text.splitlines()[0].removeprefix("# ")
                assert path.is_file(), path
                path.write_text(text, "utf-8")
            case _:
                raise AssertionError(f"what is to be done with a block of {language}?")
    return folder


def test_it_ends_in_a_trained_plugin_with_samples(learner: Path) -> None:
    for name in ("runs/waves-digits/samples/grid.png", "waves.png", "walks.png"):
        with Image.open(learner / name) as image:
            low, high = image.convert("L").getextrema()
        assert high - low > 200, name
    lines = (learner / "runs/waves-digits/metrics.jsonl").read_text("utf-8").splitlines()
    first, last = (json.loads(lines[i])["bits_per_dim"] for i in (0, -1))
    assert last < 2 < first


def test_runs_know_the_plugin_and_its_new_key(learner: Path) -> None:
    run = learner / "runs/waves-digits-2"
    config = json.loads((run / "config.json").read_text("utf-8"))
    assert config["config"]["model"]["reflect"] is True
    assert config["plugin"] == {
        "name": "waves",
        "distribution": "genzoo-waves",
        "version": "0.1.0",
    }
    assert "shuffle and reflect them" in (run / "README.md").read_text("utf-8")
    assert (run / "metrics.json").is_file()


def test_the_wheel_has_the_plugin_and_its_card(learner: Path) -> None:
    with zipfile.ZipFile(learner / "dist/genzoo_waves-0.1.0-py3-none-any.whl") as archive:
        names = set(archive.namelist())
        entries = archive.read("genzoo_waves-0.1.0.dist-info/entry_points.txt").decode()
    package = {"__init__.py", "config.py", "model.py", "card.md", "py.typed"}
    assert {f"zoo_waves/{name}" for name in package} <= names
    assert "waves = zoo_waves" in entries
    assert not any(name.startswith("tests") for name in names)
