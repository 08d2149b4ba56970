"""The tutorial, docs/plugins.md, followed in an environment with the wheel and without the source.

The test runs its commands and applies its changes in order. The output that the page shows must be
printed, up to numbers.
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

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("tutorial")]  # five minutes, once

PAGE = ROOT / "docs/plugins.md"


def blocks() -> list[tuple[str, str]]:
    """Language and text of the tutorial's code blocks, without those of the minimal plugin, which
    test_minimal_plugin.py tests."""
    tutorial, _, _ = PAGE.read_text("utf-8").partition("## A minimal plugin")
    return re.findall(r"^```(\w+)\n(.*?)^```$", tutorial, re.DOTALL | re.MULTILINE)


def commands(block: str) -> list[tuple[str, list[str]]]:
    """The commands of a console block, each with the output lines that the page shows."""
    outputs: list[tuple[str, list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            outputs.append((line.removeprefix("$ "), []))
        else:
            outputs[-1][1].append(line)
    return outputs


def normalized(line: str) -> str:
    """A line without the parts that vary: numbers, column widths, and the h:mm:ss that pytest adds
    after a minute."""
    line = re.sub(r" \(\d+:\d\d:\d\d\)$", "", line)
    return " ".join(re.sub(r"\d[\d.,e+-]*", "#", line).split())


def execute(command: str, expected: list[str], folder: Path, env: Path) -> None:
    """Runs a command, which must succeed unless the page shows a failure."""
    path = f"{env / 'bin'}:/usr/bin:/bin"
    process = end("sh", "-c", command, cwd=folder, PATH=path)
    output = process.stdout + process.stderr
    fails = any(line.startswith("BROKEN") for line in expected)
    assert process.returncode == int(fails), f"{command} exited with {process.returncode}\n{output}"
    missing = {normalized(line) for line in expected} - {
        normalized(line) for line in output.splitlines()
    }
    assert not missing, f"{command} does not print {missing}, but\n{output}"


def apply_diff(block: str, folder: Path) -> None:
    """Applies a diff block, whose old lines must occur exactly once in the file."""
    name, *lines = block.splitlines()
    path = folder / name.removeprefix("--- ")
    text = path.read_text("utf-8")
    old = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("+"))
    new = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("-"))
    assert text.count(old) == 1, f"not exactly once in {path}:\n{old}"
    path.write_text(text.replace(old, new), "utf-8")


@pytest.fixture(scope="module")
def tutorial(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the whole page was followed."""
    folder = tmp_path_factory.mktemp("tutorial")
    env = make_environment(tmp_path_factory.mktemp("environment"), wheel)
    for language, text in blocks():
        match language:
            case "console":
                for command, expected in commands(text):
                    execute(command, expected, folder, env)
            case "diff":
                apply_diff(text, folder)
            case "python":
                path = folder / text.splitlines()[0].removeprefix("# ")
                assert path.is_file(), path
                path.write_text(text, "utf-8")
            case _:
                raise AssertionError(f"a code block of unknown language {language}")
    return folder


def test_the_trained_plugin_generates_images(tutorial: Path) -> None:
    for name in ("runs/waves-digits/samples/grid.png", "waves.png", "interpolations.png"):
        with Image.open(tutorial / name) as image:
            low, high = image.convert("L").getextrema()
        assert high - low > 200, name
    lines = (tutorial / "runs/waves-digits/metrics.jsonl").read_text("utf-8").splitlines()
    first, last = (json.loads(lines[i])["bits_per_dim"] for i in (0, -1))
    assert last < 2 < first


def test_runs_store_the_plugin_and_the_new_key(tutorial: Path) -> None:
    run = tutorial / "runs/waves-digits-2"
    config = json.loads((run / "config.json").read_text("utf-8"))
    assert config["config"]["model"]["reflect"] is True
    assert config["plugin"] == {
        "name": "waves",
        "distribution": "genzoo-waves",
        "version": "0.1.0",
    }
    assert "shuffles and reflects" in (run / "README.md").read_text("utf-8")
    assert (run / "metrics.json").is_file()


def test_the_wheel_has_the_plugin_and_its_card(tutorial: Path) -> None:
    with zipfile.ZipFile(tutorial / "dist/genzoo_waves-0.1.0-py3-none-any.whl") as archive:
        names = set(archive.namelist())
        entries = archive.read("genzoo_waves-0.1.0.dist-info/entry_points.txt").decode()
    package = {"__init__.py", "config.py", "model.py", "card.md", "py.typed"}
    assert {f"zoo_waves/{name}" for name in package} <= names
    assert "waves = zoo_waves" in entries
    assert not any(name.startswith("tests") for name in names)
