"""Runs the commands and Python blocks of the task pages in docs/, in order and in an empty folder.

Runs end after a few steps, and folders stand in for datasets of the Hub. The output that a page
shows must be printed, except for its numbers.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import numpy as np
import pytest
import torch
from PIL import Image
from project import ROOT

from zoo.cli import cli, main
from zoo.training.limits import Limits

TASKS = ["train", "fine-tuning", "durability", "gpu", "sample", "compare", "python"]
LONG = ["export", "cards"]
SHORTER = 500
"""Divisor of the steps; a run that ends by epochs or minutes counts as 1,000 steps."""

ELSEWHERE = {"--processes", "cuda", "cuda:1", "doctor"}
"""Arguments that depend on the machine; test_processes.py covers several processes."""


class Short(Limits):
    """The limits of a page, reached after a few steps."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.text = super().__str__()
        self.steps = max(1, (1000 if self.seconds or self.steps is None else self.steps) // SHORTER)
        self.seconds = None

    def __str__(self) -> str:
        return self.text


def save_noise(path: Path, size: tuple[int, int], channels: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (*size[::-1], channels)
    pixels = np.random.default_rng(len(path.stem) + size[0]).integers(0, 256, shape, np.uint8)
    Image.fromarray(pixels.squeeze()).save(path)


@pytest.fixture
def newcomer(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the images that the pages mention."""
    for label in range(10):
        for i in range(4):
            for mnist in ("mnist", "path/to/mnist"):
                split = "test" if i == 0 else "train"
                save_noise(here / mnist / split / f"{label}/{i}.png", (28, 28), 1)
    for i in range(60):
        save_noise(here / f"photos/{i:02}.png", (48, 40), 3)
    save_noise(here / "photo.png", (64, 48), 3)
    monkeypatch.setattr("zoo.training.loop.Limits", Short)
    monkeypatch.setattr("zoo.training.loop.INITIALIZATION_IMAGES", 64)
    monkeypatch.setattr("zoo.training.execution.BACKEND", "eager")
    monkeypatch.setattr("zoo.training.grids.IMAGES", 16)
    return here


def blocks(task: str) -> list[tuple[str, str]]:
    """Returns language and text of the page's code blocks."""
    page = (ROOT / f"docs/{task}.md").read_text("utf-8")
    return re.findall(r"^```(\w+)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)


def commands_of(block: str) -> list[tuple[list[str], list[str]]]:
    """Returns the words of each command of a console block, and the output shown below it."""
    commands: list[tuple[list[str], list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            commands.append((shlex.split(line.removeprefix("$ "), comments=True), []))
        else:
            commands[-1][1].append(line)
    return commands


def plain(line: str) -> str:
    """Replaces the numbers and times of a line, which differ between machines and runs."""
    line = re.sub(r"\b(\d+ h )?(\d+ min )?\d+ (s|min)\b", "TIME", line)
    return " ".join(re.sub(r"\d[\d.,e+-]*", "#", line).split())


def run_command(words: list[str], shown: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """Runs ``zoo …``, which must succeed unless the page shows an error message."""
    if words[0] == "rm":
        Path(words[1]).unlink()
        return
    assert words[0] == "zoo", words
    if ELSEWHERE & {*words}:
        above = click.Context(cli, **cli.context_settings)
        command = cli.get_command(above, words[1])
        assert command is not None, words
        command.make_context(words[1], words[2:], above)
        return
    capfd.readouterr()
    status = main(words[1:])
    out, err = capfd.readouterr()
    fails = any(line.startswith("zoo: ") or line.endswith("1 problem") for line in shown)
    assert (status != 0) == fails, f"{words} ended with {status}\n{out}{err}"
    printed = {plain(line) for line in (out + err).splitlines()}
    missing = {plain(line) for line in shown} - printed
    assert not missing, f"{words} does not print {missing}, but\n{out}{err}"


def check_shapes(code: str, namespace: dict[str, object]) -> None:
    """Checks ``name = …  # float32 [4, 8]`` against the tensor."""
    for name, kind, shape in re.findall(r"^(\w+) = .*  # (\w+) \[([\d, ]+)\]$", code, re.M):
        tensor = namespace[name]
        assert isinstance(tensor, torch.Tensor)
        assert str(tensor.dtype) == f"torch.{kind}", name
        assert list(tensor.shape) == [int(n) for n in shape.split(",")], name


def check_sentences(code: str, printed: str) -> None:
    """Checks ``print(error)  # sentence`` against the output."""
    assert re.findall(r"print\(error\)  # (.*)", code) == (
        printed.splitlines() if "print(error)" in code else []
    )


@pytest.mark.parametrize("task", [*TASKS, *(pytest.param(t, marks=pytest.mark.slow) for t in LONG)])
def test_the_page_shows_actual_output(
    task: str, newcomer: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    namespace: dict[str, object] = {}
    for language, text in blocks(task):
        match language:
            case "console":
                for words, shown in commands_of(text):
                    run_command(words, shown, capfd)
            case "toml":
                Path(text.splitlines()[0].removeprefix("# ")).write_text(text, "utf-8")
            case "python":
                capfd.readouterr()
                exec(compile(text, f"docs/{task}.md", "exec"), namespace)
                check_shapes(text, namespace)
                check_sentences(text, capfd.readouterr().out)
            case _:
                raise AssertionError(f"unexpected code block of {language}")


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs/README.md").read_text("utf-8")
    linked = {ROOT / "docs" / link for link in re.findall(r"\]\(([^):]+\.md)\)", index)}
    missing = {*(ROOT / "docs").rglob("*.md")} - linked - {ROOT / "docs/README.md"}
    assert not missing
