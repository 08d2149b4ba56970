"""The request for a training run: its folder and its configuration."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zoo.config.resolve import (
    Setting,
    changed,
    file_settings,
    overlay,
    preset_settings,
    resolve,
    sectioned_settings,
    unique,
    validate,
)
from zoo.config.sections import FIXED, Config
from zoo.data.names import check_source, file_name, name_of
from zoo.errors import UsageError, ZooError
from zoo.runs.checkpoints import config_at, find_checkpoints
from zoo.runs.folder import CONFIG, DamagedConfig, RunFolder
from zoo.runs.integrity import differences, is_unchanged
from zoo.runs.loaded import changed_text
from zoo.runs.lock import is_locked
from zoo.runs.state import Change
from zoo.runs.stored import StoredRun
from zoo.runs.unstarted import never_started
from zoo.runs.upgrade import upgraded_config
from zoo.specs import ModelSpec
from zoo.system.device import check_device_name
from zoo.system.launcher import launched
from zoo.system.retry import SECONDS
from zoo.training.inheritance import (
    Inheritance,
    ReadRun,
    inherit,
    inherited_again,
    inherited_settings,
)
from zoo.training.tracking import check_tracker

DECIDED = ("training.compile", "training.keep")
"""Keys whose value ``auto`` is decided for a new run and holds for all of it."""


@dataclass(frozen=True)
class Request:
    """Arguments of a training run; ``settings`` are those of flags and ``--set``, ``retry`` the
    seconds for which a file is tried again that could not be written. ``parent`` is the run to
    start from, which ``read`` reads, and with ``partial`` only what fits of it."""

    model: str
    preset: str | None = None
    file: Path | None = None
    settings: Sequence[Setting] = ()
    out: Path | None = None
    resume: bool = False
    device: str = "auto"
    track: str | None = None
    accept_changes: bool = False
    retry: float = SECONDS
    parent: str | None = None
    partial: bool = False
    read: ReadRun | None = None


@dataclass(frozen=True)
class Resolved:
    """A run to train, in ``folder``; ``stored`` is the one that is resumed, None for a new one.

    ``changes`` of its configuration were asked for, or made in config.json; their step is not known
    yet. ``notes`` are sentences for the user. ``inheritance`` is that of a fine-tuned run.
    """

    folder: Path
    config: Config
    stored: StoredRun | None = None
    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    inheritance: Inheritance | None = None


def resolve_request(spec: ModelSpec, request: Request) -> Resolved:
    """Returns the run that is asked for, new or resumed.

    Raises UsageError or ZooError for all that is wrong with the request, without torch.
    """
    check_tracker(request.track)
    if request.partial and request.parent is None:
        raise UsageError("--from-partial needs --from: it takes what fits of that run's weights")
    if not request.resume:
        if request.accept_changes:
            raise UsageError("--accept-changes needs --resume: a new run has no changes")
        return _resolve_new(spec, request)
    folder = request.out or _newest(spec, request)
    if not never_started(folder):
        return _resolve_resumed(spec, request, folder)
    resolved = _resolve_new(spec, replace(request, out=folder))
    note = f"{folder} was killed before its first step: it starts with the settings of this command"
    return replace(resolved, notes=(note,))


def check_request(spec: ModelSpec, request: Request) -> str:
    """Returns what is trained, in a few words, without torch.

    Raises as :func:`resolve_request`, and UsageError for a device or data that cannot exist.
    """
    check_device_name(request.device)
    resolved = resolve_request(spec, request)
    source = resolved.config.data.source
    check_source(source)
    subject = f"{spec.name} on {name_of(source)}"
    if resolved.stored is not None:
        return f"{subject}, resuming {resolved.folder}"
    if resolved.inheritance is not None:
        return f"{subject}, from {resolved.inheritance.parent.source}"
    return f"{subject}, preset {request.preset or next(iter(spec.presets))}"


def _resolve_new(spec: ModelSpec, request: Request) -> Resolved:
    inheritance, lowest = None, None
    if request.parent is not None:
        inheritance = inherit(spec.name, request.parent, request.partial, _reader(request))
        assert inheritance.stored is not None
        lowest = inherited_settings(spec, inheritance.stored)
    config = resolve(spec, request.preset, request.file, request.settings, lowest)
    if request.out is None:
        base = Path("runs") / f"{request.model}-{file_name(config.data.source)}"
        folder = next(path for path in _numbered(base) if _is_free(path))
        return Resolved(folder, config, inheritance=inheritance)
    taken = request.out.exists() and not never_started(request.out)
    if taken and launched().local_main:  # other processes may see the files of the main process
        if (request.out / CONFIG).exists():
            raise UsageError(
                f"{request.out} is already a run: continue it with --resume, or choose another "
                "--out"
            )
        raise UsageError(f"{request.out} is not an empty folder: choose another --out")
    return Resolved(request.out, config, inheritance=inheritance)


def _resolve_resumed(spec: ModelSpec, request: Request, folder: Path) -> Resolved:
    run = RunFolder(folder)
    document, notes = _document(run)
    if (model := document.get("model")) != request.model:
        raise UsageError(f"{folder} is a run of {model}, not of {request.model}")
    before = StoredRun.of(run, document, lambda _: spec)
    stored_config = before.config
    values = upgraded_config(document)["config"]
    stored = sectioned_settings(spec, values, str(folder / CONFIG))
    overrides = unique(request.settings)
    if request.file is not None:
        overrides = overlay(file_settings(spec, request.file), overrides)
    if request.preset is not None:
        overrides = overlay(preset_settings(spec, request.preset), overrides)
    overrides = [s for s in overrides if s.name not in DECIDED or s.value != "auto"]
    config = validate(spec, overlay(stored, overrides))
    source = config.data.source
    named = replace(config, data=config.data.model_copy(update={"source": name_of(source)}))
    differing = changed(stored_config, named)
    for key, old, new in differing:
        if not _may_change(key, old, new):
            raise UsageError(
                f"{folder} was started with {key} = {json.dumps(old)}, not {json.dumps(new)}: "
                "keep it, or start another run with --out"
            )
    edits = _edits(run, document, request.accept_changes)
    changes = [
        Change(step=0, key=key, before=old, after=new) for key, old, new in [*edits, *differing]
    ]
    if source == stored_config.data.source:
        source = run.read_data_record().get("source", source)
    config = replace(config, data=config.data.model_copy(update={"source": source}))
    inheritance = inherited_again(before, request.parent, _reader(request))
    return Resolved(folder, config, before, tuple(changes), notes, inheritance)


def _reader(request: Request) -> ReadRun:
    def refuse(source: str) -> StoredRun:
        raise UsageError(f"a run that starts from {source} needs a function that reads it")

    return request.read or refuse


def _document(run: RunFolder) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Returns the config.json of a run, that of its newest checkpoint if it cannot be read, and
    notes on it."""
    try:
        return run.read_document(), ()
    except ZooError as error:
        if (run.path / CONFIG).is_file() and not isinstance(error, DamagedConfig):
            raise
        for checkpoint in reversed(find_checkpoints(run.path)):
            if (document := config_at(checkpoint)) is not None:
                note = f"{error}; it is written again as at {checkpoint.name}"
                return document, (note,)
        raise


def _edits(run: RunFolder, document: Mapping[str, Any], accept: bool) -> list[tuple[str, Any, Any]]:
    """Returns key, old and new value of what a user changed in config.json, if that is accepted.

    Raises UsageError if it is not.
    """
    if is_unchanged(document):
        return []
    if not accept:
        raise UsageError(
            f"{run.path / CONFIG} was changed since genzoo wrote it"
            f"{changed_text(run.path, document)}: set it back, or take it with --accept-changes"
        )
    for checkpoint in reversed(find_checkpoints(run.path)):
        if (before := config_at(checkpoint)) is not None:
            edits = differences(before, document)
            return [edit for edit in edits if edit[0] != "changes"]
    return [(CONFIG, None, None)]


def _may_change(key: str, before: object, after: object) -> bool:
    """Whether a resumed run may have another value: one that changes no shape and no split."""
    if key == "training.ema_decay":
        return bool(before) == bool(after)
    return key in ("data.workers",) or (key.startswith("training.") and key not in FIXED)


def _is_free(path: Path) -> bool:
    return not path.exists() or (never_started(path) and not is_locked(path))


def _newest(spec: ModelSpec, request: Request) -> Path:
    sources = [setting.value for setting in request.settings if setting.name == "data.source"]
    if not sources:
        config = resolve(spec, request.preset, request.file, request.settings)
        sources = [config.data.source]
    base = Path("runs") / f"{request.model}-{file_name(sources[0])}"
    existing = list(itertools.takewhile(Path.exists, _numbered(base)))
    if not existing:
        raise UsageError(f"there is no run {base} to resume: name one with --out")
    return existing[-1]


def _numbered(base: Path) -> Iterator[Path]:
    yield base
    for number in itertools.count(2):
        yield base.with_name(f"{base.name}-{number}")
