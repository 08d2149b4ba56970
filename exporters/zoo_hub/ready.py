"""Checks before a push: the run loads, its graphs match its weights, its card has a license."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import UsageError, ZooError
from zoo.export.report import read_report
from zoo.report.card import DamagedCard, front, read_card
from zoo.runs.folder import CARD, RunFolder
from zoo.runs.loaded import settle
from zoo.system.file_names import problem_in
from zoo_hub import contents
from zoo_hub.card import license_of

if TYPE_CHECKING:
    from zoo.run import Run
    from zoo.runs.stored import StoredRun


def check(run: Run) -> None:
    """Raises UsageError or ZooError, with the fix, for a run that cannot be pushed."""
    check_folder(run)
    from zoo.run import load_with

    load_with(run.host, run.path, "cpu")  # the files may differ from the run in memory
    settle(run.path)
    check_graphs(run.path)


def check_folder(run: Run | StoredRun) -> None:
    """:func:`check` of all that does not depend on the weights, without torch."""
    if run.source is not None:
        raise UsageError(
            f"{run.source} is not a local folder: fetch it with zoo pull and push that folder"
        )
    if problem := problem_in(contents.files_of(run.path)):
        raise ZooError(f"{run.path} has {problem}: rename it")
    check_card(run.path)


def check_card(folder: Path) -> None:
    """Raises ZooError for a run whose card is missing, damaged or without a license."""
    path = folder / CARD
    if not path.is_file():
        raise ZooError(f"{folder} has no {CARD}, the model card of the Hub: zoo card writes it")
    text = read_card(folder) or ""
    try:
        front.read(front.split(text)[0])
    except DamagedCard as error:
        raise ZooError(f"the metadata of {path} cannot be read: fix it") from error
    if license_of(text) is None:
        raise ZooError(
            f"{path} has no license in its metadata: add one, for example with "
            f"zoo card {folder} --license apache-2.0"
        )


def check_graphs(folder: Path) -> None:
    """Raises ZooError for a graph whose parity report is missing, of another file or other
    weights, or beyond its tolerance."""
    weights = RunFolder(folder).weights_digest()
    for name in contents.files_of(folder):
        if name.endswith(".onnx"):
            read_report(folder / name, weights)
