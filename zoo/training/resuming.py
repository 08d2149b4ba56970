"""Resumption: the checkpoint that a run goes on from, its changed settings, the same data."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from zoo.data.fingerprint import fingerprint
from zoo.errors import UsageError
from zoo.model import Model
from zoo.runs.folder import RunFolder
from zoo.runs.integrity import integrity_of
from zoo.runs.state import MAX_STEP, Change, Damaged, Integrity, parse_record
from zoo.runs.stored import StoredRun
from zoo.training.request import Request, Resolved
from zoo.training.restore import newest_intact

if TYPE_CHECKING:
    from zoo.data.dataset import Dataset
    from zoo.training.checkpoint import Loaded
    from zoo.training.loop import Loop


def resume_point(
    resolved: Resolved, loop: Loop, say: Callable[[str], None]
) -> tuple[Loaded | None, list[Change]]:
    """Returns the checkpoint that a run goes on from, None for its beginning, and all changes of
    its configuration, each with its step.

    Says which settings change. Raises ZooError if no checkpoint can be used.
    """
    if resolved.stored is None:
        return None, []
    before = _stored_changes(resolved.stored.document)
    after = [change.model_copy(update={"step": MAX_STEP}) for change in resolved.changes]
    loaded = newest_intact(
        loop.folder.path,
        loop.state.stored,
        loop.objective.optimizers,
        [*before, *after],
        loop.accelerator,
        say,
    )
    step = 0 if loaded is None else loaded.position.step
    for change in after:
        old, new = json.dumps(change.before), json.dumps(change.after)
        say(f"{change.key} is {new:.60} from step {step} on, and was {old:.60}")
    # A change takes effect earlier if the run falls back to an earlier checkpoint.
    return loaded, [
        change.model_copy(update={"step": min(change.step, step)}) for change in [*before, *after]
    ]


def comparable(loaded: Loaded | None, changes: Sequence[Change]) -> Loaded | None:
    """Returns a checkpoint without its best validation if that is of other images."""
    if loaded is None or not any(
        change.key == "data" and change.step >= loaded.position.step for change in changes
    ):
        return loaded
    return replace(loaded, position=replace(loaded.position, validated=None))


def checked_data(
    resolved: Resolved,
    folder: RunFolder,
    model: Model,
    data: Dataset,
    request: Request,
    loaded: Loaded | None,
) -> tuple[Mapping[str, Any], Sequence[Change]]:
    """Returns the fingerprint of the training images, and the change of the data that is accepted.

    Raises UsageError for a run that goes on with other data than it was started on, unless that is
    accepted.
    """
    split, labels = data.splits["train"], bool(model.latent.classes)
    current = fingerprint(split, labels)
    stored = _stored_fingerprint(resolved.stored)
    if loaded is None or resolved.stored is None:
        return current, []
    count = stored.get("images", folder.read_data_record().get("images"))
    if count not in (None, len(split)):
        difference = f"with {count} training images, but {data.name} has {len(split)}"
    elif "sha256" not in stored or stored == _again(stored, current, split, labels):
        return current, []
    else:
        difference = f"on other training images than {data.name} has now"
    if not request.accept_changes:
        raise UsageError(
            f"{folder.path} was started {difference}: pass the same data, start another run with "
            "--out, or take these with --accept-changes"
        )
    change = Change(
        step=loaded.position.step, key="data", before=dict(stored) or count, after=dict(current)
    )
    return current, [change]


def stored_integrity(run: StoredRun | None) -> Integrity | None:
    """Returns the hashes in the config.json of a run that is resumed; None for damaged ones."""
    try:
        return None if run is None else integrity_of(run.document)
    except Damaged:
        return None


def _again(
    stored: Mapping[str, Any], current: Mapping[str, Any], split: Any, labels: bool
) -> Mapping[str, Any]:
    """The fingerprint over as many images as the stored one."""
    sampled = stored.get("sampled")
    if sampled == current["sampled"] or type(sampled) is not int:
        return current
    return fingerprint(split, labels, sampled)


def _stored_fingerprint(run: StoredRun | None) -> Mapping[str, Any]:
    summary = None if run is None else run.document.get("summary")
    stored = summary.get("fingerprint") if isinstance(summary, dict) else None
    return stored if isinstance(stored, dict) else {}


def _stored_changes(document: Mapping[str, Any]) -> list[Change]:
    """The changes in config.json; damaged ones are left out: config.json has a hash of its own."""
    changes = []
    stored = document.get("changes")
    for values in stored if isinstance(stored, list) else []:
        try:
            changes.append(parse_record(values, Change, "changes"))
        except Damaged:
            continue
    return changes
