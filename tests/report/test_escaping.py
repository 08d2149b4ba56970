"""Text of strangers in each medium, read back by a parser of the medium, is the same text."""

from __future__ import annotations

import ast
import io
import re
import warnings
from html.parser import HTMLParser
from importlib.resources import files

import pytest
from hostile_text import FEW, TEXT
from hypothesis import given, settings
from markdown_it import MarkdownIt
from matplotlib.figure import Figure

from zoo.errors import printable
from zoo.report.card import front, markdown
from zoo.report.labels import literal
from zoo_web.folder import PAGE, filled, space_card

TEMPLATE = (files("zoo_web") / "page" / PAGE).read_text("utf-8")
MODEL = {"title": "Glow: a flow", "family": "flow", "data": "digits", "ort": "ort/"}


class Reader(HTMLParser):
    """The tags of a page, its text by tag, and the values of its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags = [""]
        self.texts: dict[str, str] = {}
        self.values: list[str | None] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.values += [value for _, value in attrs]

    def handle_data(self, data: str) -> None:
        tag = self.tags[-1]
        self.texts[tag] = self.texts.get(tag, "") + data


@FEW
@given(TEXT, TEXT, TEXT)
def test_html_has_the_same_text_and_no_tag_more(title: str, family: str, data: str) -> None:
    page = Reader(filled(TEMPLATE, MODEL | {"title": title, "family": family, "data": data}))
    assert page.tags == Reader(filled(TEMPLATE, MODEL)).tags
    name = title.partition(": ")[0]
    assert page.texts["title"].strip() == f"{name}: {data}".strip()
    assert page.texts["h1"].strip() == name.strip()
    assert f"{title}, running in your browser." in page.values


def test_the_page_builds_no_html_from_text() -> None:
    for script in (files("zoo_web") / "page").iterdir():
        if script.name.endswith(".js"):
            text = script.read_text("utf-8")
            for way in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(",
                        "Function(", "setAttribute(\"on", "srcdoc", "DOMParser"):  # fmt: skip
                assert way not in text


def blocks(text: str) -> list[tuple[str, str]]:
    """The blocks of Markdown: those that open something, and inline ones as their text; anything
    but text in an inline one is named."""
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    found = []
    for token in parser.parse(text):
        if token.type == "inline":
            other = [child.type for child in token.children or [] if child.type != "text"]
            found.append((" ".join(["inline", *other]), "".join(c.content for c in token.children)))
        elif token.nesting >= 0:
            found.append((token.type, ""))
    return found


CONTEXTS = {
    "alone": ("{}", ["paragraph_open"]),
    "heading": ("# {}", ["heading_open"]),
    "item": ("- {}", ["bullet_list_open", "list_item_open", "paragraph_open"]),
    "quoted": ("> {}", ["blockquote_open", "paragraph_open"]),
}


@pytest.mark.parametrize("context", CONTEXTS)
@FEW
@given(TEXT.filter(markdown.plain))
def test_markdown_has_the_same_text_and_no_markup(context: str, text: str) -> None:
    template, opened = CONTEXTS[context]
    *found, inline = blocks(template.format(markdown.escaped(text)))
    assert inline == ("inline", markdown.plain(text))
    assert [kind for kind, _ in found] == opened


@FEW
@given(TEXT.filter(markdown.plain))
def test_a_line_of_markdown_ends_no_paragraph_and_heads_no_line_above(text: str) -> None:
    above, shown = "A line above", markdown.plain(text)
    assert blocks(f"{above}\n{markdown.escaped(text)}\nand below") == [
        ("paragraph_open", ""),
        ("inline softbreak softbreak", f"{above}{shown}and below"),
    ]


@FEW
@given(TEXT, TEXT)
def test_a_cell_of_a_table_stays_one_cell(first: str, second: str) -> None:
    rows = [(markdown.escaped(first), markdown.escaped(second)), ("c", "d")]
    found = blocks(markdown.table(("a", "b"), rows))
    shown = ["a", "b", markdown.plain(first), markdown.plain(second), "c", "d"]
    assert [text for kind, text in found if kind == "inline"] == shown
    assert sum(kind in ("th_open", "td_open") for kind, _ in found) == 6
    assert {kind for kind, _ in found} <= {
        *("table_open", "thead_open", "tbody_open", "tr_open", "th_open", "td_open", "inline")
    }


@FEW
@given(TEXT)
def test_no_renderer_makes_a_link_of_an_address(text: str) -> None:
    escaped = markdown.escaped(text)
    assert not re.search(r"(?<!\\)(://|@)|www\.", escaped, re.IGNORECASE)


@FEW
@given(TEXT)
def test_code_in_a_card_holds_the_same_string_and_no_mark_or_tag(text: str) -> None:
    code = markdown.literal(text)
    assert ast.literal_eval(code) == text
    for safe in (code, markdown.comment(text)):
        assert "<" not in safe
        assert safe.isprintable()


@FEW
@given(TEXT, TEXT)
def test_yaml_has_the_same_string(text: str, body: str) -> None:
    for before in ("", "# mine\nlicense: mit\ntags: [a]\n"):
        changes = {"title": text, "tags": [text], "more": {"name": text}}
        card = front.joined(front.edited(before, changes), body)
        metadata, rest = front.split(card)
        assert front.read(metadata) == front.read(before) | changes
        assert rest == body


@FEW
@given(TEXT, TEXT, TEXT)
def test_a_space_has_the_same_title_and_no_key_or_block_more(
    title: str, data: str, name: str
) -> None:
    def card(model: dict[str, object]) -> tuple[dict[str, object], list[str]]:
        metadata, body = front.split(space_card(model))
        return front.read(metadata), [kind for kind, _ in blocks(body)]

    model = {"title": title, "paper": data, "data": data, "class_names": [name]}
    plain = {"title": "x", "paper": "x", "data": "x", "class_names": ["x"]}
    values, kinds = card(model)
    expected, usual = card(plain)
    shown = title.partition(": ")[0]
    assert values == expected | {"title": markdown.plain(f"{shown} on {data}")}
    assert kinds == usual


@settings(FEW, max_examples=25)
@given(TEXT)
def test_a_label_of_a_plot_is_drawn_literally(text: str) -> None:
    def rendered(text: str, **options: bool) -> bytes:
        figure = Figure(figsize=(3, 0.5))
        figure.text(0, 0.5, text, **options)
        data = io.BytesIO()
        figure.savefig(data, format="png")
        return data.getvalue()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the font lacks letters
        assert rendered(literal(text)) == rendered(printable(text), parse_math=False)
