"""Whether a run is fit to be shared: it loads, its graphs are its own, its card has a licence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import UsageError, ZooError
from zoo.export.metadata import Report
from zoo.report.card import DamagedCard, front, read_card
from zoo.runs.folder import CARD, RunFolder
from zoo_hub import contents
from zoo_hub.card import license_of

if TYPE_CHECKING:
    from zoo.run import Run


def check(run: Run) -> None:
    """Raise UsageError or ZooError, with the way out, for a run that cannot be shared."""
    if run.source is not None:
        raise UsageError(
            f"{run.source} is not a local folder: fetch it with zoo pull, and push that folder"
        )
    from zoo.run import load_with

    load_with(run.host, run.path, "cpu")  # the files, which may be others than those in memory
    check_card(run.path)
    check_graphs(run.path)


def check_card(folder: Path) -> None:
    """Raise ZooError for a run whose card is missing or has no licence."""
    path = folder / CARD
    if not path.is_file():
        raise ZooError(f"{folder} has no {CARD}, the card that the Hub shows: zoo card writes it")
    text = read_card(folder) or ""
    try:
        front.read(front.split(text)[0])
    except DamagedCard as error:
        raise ZooError(f"the metadata of {path} cannot be read: mend them") from error
    if license_of(text) is None:
        raise ZooError(
            f"{path} has no license in its metadata, under which others may use the run: write one "
            f"there, as zoo card {folder} --license apache-2.0 does"
        )


def check_graphs(folder: Path) -> None:
    """Raise ZooError for a graph of other weights than the run's, and for one without a report
    that it was compared with the network and agreed."""
    weights = RunFolder(folder).weights_digest()
    again = f"zoo export {folder} writes the graphs again"
    for name in contents.files_of(folder):
        if not name.endswith(".onnx"):
            continue
        path = folder / name
        if not path.with_suffix(".json").is_file():
            raise ZooError(f"{path} has no parity report beside it: {again}")
        report = Report.read(path.with_suffix(".json"))
        if report.sha256 != contents.sha256(path):
            raise ZooError(f"{path} is not the file that its parity report speaks of: {again}")
        if report.weights_sha256 != weights:
            raise ZooError(f"{path} is of other weights than the run's: {again}")
        if over := _over(report):
            raise ZooError(f"{path} does not agree with the network, {over}: {again}")


def _over(report: Report) -> str | None:
    """The first output whose error is over its tolerance, in words."""
    for name, output in report.outputs.items():
        if not output.error <= output.tolerance:
            return f"{name} is {output.error:.2g} off and may be {output.tolerance:.2g}"
    return None
