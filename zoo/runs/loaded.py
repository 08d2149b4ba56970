"""Checks of a run that is loaded: config.json and the weights are as genzoo wrote them."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.runs.advice import resume_command
from zoo.runs.checkpoints import config_at, find_checkpoints
from zoo.runs.folder import CONFIG, WEIGHTS, RunFolder
from zoo.runs.integrity import differences, integrity_of, is_unchanged
from zoo.runs.state import Damaged
from zoo.system.console import say
from zoo.system.files import sha256_of, write_json


def check_loaded(
    run: Path, document: Mapping[str, Any], digest: str, fetched: bool = False
) -> None:
    """Checks a run whose config.json holds ``document`` and whose weights have the SHA-256
    ``digest``; a ``fetched`` one is in a cache.

    Raises Damaged, with the fix. Says it of a run without hashes.
    """
    try:
        integrity = integrity_of(document)
    except Damaged as error:
        fix = _resume(run, document, "--accept-changes") or _fetch_again(run / CONFIG, fetched)
        raise Damaged(f"{run / CONFIG}: {error}; {fix}") from None
    if integrity is None:
        _say_once(f"{run} has no hashes, so its files are not verified: an older genzoo wrote it")
    elif digest != integrity.weights and config_with(run, digest) is None:
        if integrity.weights is not None or find_checkpoints(run):
            raise Damaged(
                f"{run / WEIGHTS} is damaged, its SHA-256 is not that of {CONFIG}: "
                f"{_resume(run, document, '') or _fetch_again(run / WEIGHTS, fetched)}"
            )
        _say_once(f"{run / CONFIG} has no hash of the weights, so they are not verified")
    if not is_unchanged(document):
        fix = _resume(run, document, "--accept-changes")
        raise Damaged(
            f"{run / CONFIG} was changed since genzoo wrote it{changed_text(run, document)}: "
            f"{f'set it back, or {fix}' if fix else _fetch_again(run / CONFIG, fetched)}"
        )


def changed_text(run: Path, document: Mapping[str, Any]) -> str:
    """Returns `` (KEY is NEW, and was OLD)`` for the first change of a config.json since the last
    checkpoint; empty without a checkpoint."""
    for checkpoint in reversed(find_checkpoints(run)):
        if (before := config_at(checkpoint)) is not None:
            for key, old, new in differences(before, document):
                if key != "changes":
                    return f" ({key} is {_short(new)}, and was {_short(old)})"
            break
    return ""


def settle(run: Path) -> None:
    """Writes the config.json that a kill after the weights prevented: it is in the checkpoint."""
    digest, document = sha256_of(run / WEIGHTS), RunFolder(run).read_document()
    integrity = integrity_of(document)
    if integrity is None or integrity.weights in (None, digest):
        return
    if (stored := config_with(run, digest)) is not None:
        write_json(run / CONFIG, stored)


def config_with(run: Path, digest: str) -> dict[str, Any] | None:
    """Returns the config.json of the checkpoint whose weights have the SHA-256 ``digest``: after a
    kill between the weights and config.json, the checkpoint alone states it."""
    for checkpoint in find_checkpoints(run):
        values = config_at(checkpoint)
        integrity = None if values is None else integrity_of(values)
        if integrity is not None and integrity.weights == digest:
            return values
    return None


def _resume(run: Path, document: Mapping[str, Any], option: str) -> str:
    """The command that mends a run; empty for one that cannot be resumed."""
    if not find_checkpoints(run):
        return ""
    does = "takes the change" if option else "writes it again from the last checkpoint"
    return f"{resume_command(document.get('model'), run, option)} {does}"


def _fetch_again(path: Path, fetched: bool) -> str:
    """The fix for a run without checkpoints."""
    if fetched:
        return f"remove {path.resolve()}, and it is fetched again"
    return "fetch the run again, or use another copy of it"


@functools.cache
def _say_once(text: str) -> None:
    say(text)


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
