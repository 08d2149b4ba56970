"""The words of code and docs: one word for one thing, by the glossary of CONTRIBUTING.md."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from project import ROOT

FOLDERS = (
    "zoo", "plugins", "exporters", "model_cards", "benchmarks", "examples", "tests", "docs", ".ci"
)  # fmt: skip
SUFFIXES = {".py", ".in", ".md", ".js", ".mjs", ".html", ".css", ".toml", ""}
FILES = sorted(
    path
    for path in [
        *ROOT.glob("*.md"),
        ROOT / "Makefile",
        ROOT / "pyproject.toml",
        *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*")),
    ]
    if path.is_file()
    and path.suffix in SUFFIXES
    and path not in (Path(__file__).resolve(), ROOT / "benchmarks/reference/migrate.py")
)

WORDS = re.compile(
    r"pictures?|whence|befell|by heart|\btaught\b|\b(?:draws?|drew|drawn|drawing|drawers?)\b",
    re.IGNORECASE,
)
ALLOWED = re.compile(
    r"<picture>|IMAGE_COLUMNS.*|\"pictures\": \"images\""  # HTML, data of others, format version 1
    r"|ImageDraw(?:\.Draw)?|drawImage|re\.search\(\"picture\|draw[^\"]*\""
    r"|draw\.text|draw = (?=ImageDraw)|_?draw_?\w*\("
    r"|\bdraw\b(?=, (?:philox|interpolate|walk))"
)
DRAWN = re.compile(
    r"noise|random|latent|generator|distribution|uniform|N\(0|\bz\b|rand`|draw(?:n|s)? from"
    r"|legend|curve|axes|matplotlib"
)
"""Numbers are drawn from a distribution, lines are drawn by matplotlib; images are generated."""

FORMER_NAMES = re.compile(r"`[^`]*`|docs/pictures\.md")
"""Names that CHANGELOG.md may mention."""


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def unwanted(text: str) -> Iterator[str]:
    """The lines of a text with a word that the glossary replaces."""
    for number, line in enumerate(text.splitlines(), 1):
        for word in WORDS.findall(ALLOWED.sub("", line)):
            if not (word.lower().startswith("dr") and DRAWN.search(line)):
                yield f"{number}: {line.strip()}"
                break


def docstrings(path: Path) -> Iterator[str]:
    """The first line of every docstring, of constants too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield text.strip().partition("\n")[0]


@pytest.mark.parametrize("path", FILES, ids=named)
def test_the_words_are_those_of_the_glossary(path: Path) -> None:
    text = path.read_text("utf-8")
    if path.name == "CHANGELOG.md":
        text = FORMER_NAMES.sub("", text)
    assert not [*unwanted(text)]


@pytest.mark.parametrize("path", [p for p in FILES if p.suffix == ".py"], ids=named)
def test_no_docstring_begins_with_what(path: Path) -> None:
    assert not [line for line in docstrings(path) if line.startswith("What")]


@pytest.mark.parametrize(
    "line",
    ["a grid of pictures", "64 images are drawn", "n_pictures = 3", "by a network taught to see"],
)
def test_an_unwanted_word_is_found(line: str) -> None:
    assert [*unwanted(f"fine\n{line}\n")] == [f"2: {line}"]


@pytest.mark.parametrize("line", ["latents drawn from N(0, 1)", "context.drawImage(image, 0, 0)"])
def test_words_of_others_are_allowed(line: str) -> None:
    assert not [*unwanted(line)]
