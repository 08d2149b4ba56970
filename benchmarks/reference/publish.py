"""Publishes reference runs in the source tree: cards, results and the README's table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cards import folder_of, write_card
from results import RESULTS
from tables import markdown, summary

from zoo.errors import UsageError
from zoo.system.files import write_json, write_text

PLACE = Path("model_cards/reference")
BEGIN, END = "<!-- make reference: results -->", "<!-- make reference: end -->"
"""Marks around the table in README.md."""


def check(tree: Path) -> None:
    """Raises UsageError if ``tree`` is not a tree to publish in, before hours are spent."""
    filled(_text(tree / "README.md"), "", str(tree / "README.md"))


def lay_out(results: Mapping[str, Any], runs: Path, place: Path) -> None:
    """Writes the card of each run of ``results``, results.json and results.md into ``place``."""
    for record in results["runs"]:
        write_card(results, record, runs / record["name"], place / folder_of(record))
    write_json(place / RESULTS, results)
    write_text(place / "results.md", markdown(results))


def publish(results: Mapping[str, Any], runs: Path, tree: Path) -> None:
    """:func:`lay_out` in ``tree``/model_cards/reference, and fill the table of its README.md.

    Raises UsageError if README.md has no place for it.
    """
    readme = tree / "README.md"
    text = filled(_text(readme), summary(results), str(readme))
    lay_out(results, runs, tree / PLACE)
    write_text(readme, text)


def filled(text: str, table: str, name: str) -> str:
    """``text`` with the part between the marks replaced by ``table``."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise UsageError(f"{name} has no line {BEGIN} with a line {END} below it")
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError:
        raise UsageError(f"{path} cannot be read: --publish takes genzoo's tree") from None
