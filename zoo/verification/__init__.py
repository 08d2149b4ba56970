"""``zoo verify``: checks of every file of a run, and repairs of what can be written again."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import UsageError, ZooError
from zoo.runs.folder import CHECKPOINTS, CONFIG
from zoo.runs.links import check_links
from zoo.runs.lock import held, is_locked
from zoo.runs.unstarted import never_started
from zoo.verification.report import Problem, Report

if TYPE_CHECKING:
    from zoo.plugins.host import Host

__all__ = ["Problem", "Report", "verify"]


def verify(run: Path, host: Host, repair: bool = False) -> Report:
    """Checks the files of a run folder against their hashes, their formats and each other:
    config.json, weights, checkpoints, metrics, graphs, images, the card, and temporary files of
    killed commands.

    With ``repair``, writes again what an intact checkpoint determines, and removes damaged
    checkpoints beside one, damaged lines of metrics.jsonl and temporary files. The damaged
    config.json and metrics.jsonl are kept as ``NAME.damaged``.

    Raises UsageError for a folder that is not a run, and ZooError for one with links that lead out
    of it, and for a repair of one that another process trains.
    """
    if not (run / CONFIG).exists() and (not (run / CHECKPOINTS).is_dir() or never_started(run)):
        raise UsageError(f"{run} is not a run folder: it has no {CONFIG}")
    check_links(run)
    report = Report(run, repair)
    if is_locked(run):
        if repair:
            raise ZooError(f"{run} is being trained by another process: repair it afterwards")
        report.notes.append("another process trains this run, so its files may change meanwhile")
    with held(run) if repair and (run / CHECKPOINTS).is_dir() else nullcontext():
        _check(report, host)
    return report


def _check(report: Report, host: Host) -> None:
    from zoo.verification import files, outputs, state

    files.check_temporary(report)
    stored = files.check_config(report, host)
    files.check_metrics(report)
    grids = {} if stored is None else state.check_state(report, stored, host)
    outputs.check_images(report, grids)
    outputs.check_card(report)
    outputs.check_evaluation(report)
    outputs.check_graphs(report)
