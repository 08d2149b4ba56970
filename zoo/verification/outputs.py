"""Checks of what a run has beside its state: images, the card, metrics.json and graphs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from zoo.errors import ZooError
from zoo.evaluation.metrics import read_evaluation
from zoo.export.report import read_report
from zoo.report.card import DamagedCard, front, read_card
from zoo.runs.folder import CARD, CURVE, EVALUATION, GRID, SAMPLES, RunFolder
from zoo.system.files import check_size, sha256_of, write_bytes
from zoo.verification.report import Report

GRAPHS = "onnx"
MAX_IMAGE = 2**27
"""Maximum bytes of a grid or plot."""


def check_images(report: Report, grids: Mapping[str, Callable[[], object]]) -> None:
    """Finds images that cannot be decoded, by PNG's own checksums, missing ``grids``, names of
    those that can be written again, and a latest grid that is not the newest."""
    samples = (report.path / SAMPLES).glob("*.png")
    present = [path for path in (*sorted(samples), report.path / CURVE) if path.exists()]
    names = [path.relative_to(report.path).as_posix() for path in present]
    for name in dict.fromkeys([*names, *grids]):
        report.checked(name)
        if name != GRID and (problem := _image_problem(report.path / name)) is not None:
            again = grids.get(name)
            report.problem(name, problem, "" if again else "remove it", again)
    written = (report.path / name for name in grids)
    _check_latest_grid(report, max([*_samples(report.path), *written], default=None))


def _samples(run: Path) -> list[Path]:
    """Returns the sample grids of a run's checkpoints, oldest first."""
    return sorted((run / SAMPLES).glob("step-*.png"))


def _check_latest_grid(report: Report, newest: Path | None) -> None:
    """Compares the latest grid with ``newest``, that of the newest checkpoint."""
    path = report.path / GRID
    if newest is None or _image_problem(newest) is not None:
        return
    report.checked(GRID)
    problem = _image_problem(path)
    if problem is None and sha256_of(path) != sha256_of(newest):
        problem = "it is not of the newest checkpoint"
    if problem is not None:
        report.problem(GRID, problem, "", lambda: write_bytes(path, newest.read_bytes()))


def _image_problem(path: Path) -> str | None:
    from PIL import Image

    try:
        check_size(path, MAX_IMAGE)
        with Image.open(path) as image:
            image.verify()
    except FileNotFoundError:
        return "it is missing"
    except Exception as error:  # Pillow raises many kinds for damaged files
        return f"it is damaged: {str(error).replace(str(path), 'it'):.80}"
    return None


def check_card(report: Report) -> None:
    """Finds metadata of the card that cannot be read."""
    if not (report.path / CARD).exists():
        return
    report.checked(CARD)
    try:
        text = read_card(report.path) or ""
        front.read(front.split(text)[0])
    except DamagedCard as error:
        report.problem(CARD, str(error).partition(":")[0], "correct it")


def check_evaluation(report: Report) -> None:
    """Finds metrics.json that is damaged or of other weights."""
    path, fix = report.path, f"zoo evaluate {report.path}"
    if not (path / EVALUATION).exists():
        return
    report.checked(EVALUATION)
    try:
        evaluation = read_evaluation(path)
    except ZooError:
        report.problem(EVALUATION, "it is damaged", fix)
        return
    weights = RunFolder(path).weights_digest()
    if evaluation is not None and weights is not None and evaluation.weights != weights[:12]:
        report.problem(EVALUATION, "it was measured on other weights than the run's", fix)


def check_graphs(report: Report) -> None:
    """Finds graphs that are not those of their parity report, or of other weights."""
    weights = RunFolder(report.path).weights_digest()
    for path in sorted((report.path / GRAPHS).glob("*.onnx")):
        name = path.relative_to(report.path).as_posix()
        report.checked(name, f"{GRAPHS}/{path.stem}.json")
        try:
            read_report(path, weights)
        except ZooError as error:
            text = str(error).replace(f"{path} ", "it ").replace(f"{report.path}/", "")
            report.problem(name, text.partition(": ")[0], f"zoo export {report.path}")
