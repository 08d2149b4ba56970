"""Checks of config.json, metrics.jsonl and temporary files, without torch."""

from __future__ import annotations

import itertools
import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError
from zoo.runs.advice import resume_command
from zoo.runs.checkpoints import config_at, find_checkpoints
from zoo.runs.folder import CONFIG, METRICS, DamagedConfig, RunFolder
from zoo.runs.integrity import is_unchanged
from zoo.runs.loaded import changed_text
from zoo.runs.log import check_log, truncate_log
from zoo.runs.stored import StoredRun
from zoo.system.files import write_json
from zoo.verification.report import Report

if TYPE_CHECKING:
    from zoo.plugins.host import Host


def check_temporary(report: Report) -> None:
    """Finds the temporary files of killed commands."""
    folder = RunFolder(report.path)
    for path in folder.abandoned():
        name = path.relative_to(report.path).as_posix()
        report.problem(name, "a killed command left it", "", folder.remove_partial)


def check_config(report: Report, host: Host) -> StoredRun | None:
    """Checks config.json; returns the run that it describes, None if it cannot be read."""
    path = report.path
    report.checked(CONFIG)
    if (document := _readable(report)) is None:
        return None
    if document["format_version"] < 4:
        report.notes.append("an older genzoo wrote the run without hashes: they are not checked")
    if not is_unchanged(document):
        report.problem(
            CONFIG,
            f"it was changed since genzoo wrote it{changed_text(path, document)}",
            f"set it back, or {resume_command(document.get('model'), path, '--accept-changes')} "
            "takes the change",
        )
    try:
        return StoredRun.of(RunFolder(path), document, host.spec)
    except ZooError as error:
        report.problem(CONFIG, _within(path, error), "set it back, or install what it names")
        return None


def _readable(report: Report) -> dict[str, Any] | None:
    """The contents of config.json; those at the newest checkpoint if it is damaged."""
    path = report.path / CONFIG
    try:
        return RunFolder(report.path).read_document()
    except ZooError as error:
        before = None
        if isinstance(error, DamagedConfig) or not path.exists():
            configs = map(config_at, reversed(find_checkpoints(report.path)))
            before = next(filter(None, configs), None)
        mend = None if before is None else partial(_restore, path, before)
        fix = "" if mend else "use another copy of it"
        report.problem(CONFIG, _within(report.path, error), fix, mend)
        return before


def check_metrics(report: Report) -> None:
    """Finds damaged lines of metrics.jsonl, and steps that do not ascend."""
    path = report.path / METRICS
    if not path.exists():
        return
    report.checked(METRICS)
    try:
        check = check_log(path)
    except ZooError as error:
        problem, _, fix = _within(report.path, error).partition("; ")
        report.problem(METRICS, problem.replace(METRICS, "it"), fix)
        return
    if check.damaged:

        def mend() -> None:
            _keep(path)
            truncate_log(path)

        text = "a line is" if check.damaged == 1 else f"{check.damaged} lines are"
        report.problem(METRICS, f"{text} damaged, the first of them line {check.first}", "", mend)
    if check.descent is not None:
        before, after = check.descent
        report.problem(METRICS, f"step {after} follows step {before}", "remove its line")


def _restore(path: Path, document: dict[str, Any]) -> None:
    if path.exists():
        _keep(path)
    write_json(path, document)


def _keep(path: Path) -> None:
    """Copies a file to the first free ``NAME.damaged``."""
    names = itertools.chain([".damaged"], (f".damaged-{number}" for number in itertools.count(2)))
    copies = (path.with_name(path.name + name) for name in names)
    shutil.copy2(path, next(copy for copy in copies if not copy.exists()))


def _within(run: Path, error: ZooError) -> str:
    """A message without the path of the run."""
    return str(error).replace(f"{run / CONFIG}", "it").replace(f"{run}/", "")
