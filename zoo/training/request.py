"""The request for a training run: its folder and its configuration."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

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
from zoo.config.sections import Config
from zoo.data.names import file_name, name_of
from zoo.errors import UsageError
from zoo.runs.folder import CONFIG, RunFolder
from zoo.specs import ModelSpec


@dataclass(frozen=True)
class Request:
    """What a user asks for; ``settings`` are those of flags and ``--set``."""

    model: str
    preset: str | None = None
    file: Path | None = None
    settings: Sequence[Setting] = ()
    out: Path | None = None
    resume: bool = False
    device: str = "auto"
    track: str | None = None


def fresh(spec: ModelSpec, request: Request) -> tuple[Path, Config]:
    config = resolve(spec, request.preset, request.file, request.settings)
    if request.out is None:
        base = Path("runs") / f"{request.model}-{file_name(config.data.source)}"
        return next(path for path in _numbered(base) if not path.exists()), config
    taken = request.out.exists() and (not request.out.is_dir() or any(request.out.iterdir()))
    if taken and leads():  # another process may find what the first of them has begun
        what = "a run" if (request.out / CONFIG).exists() else "something"
        raise UsageError(
            f"{what} stands at {request.out}: go on with it by --resume, or name another --out"
        )
    return request.out, config


def continued(spec: ModelSpec, request: Request) -> tuple[Path, Config]:
    """The folder and configuration of a run that goes on; only its limits may differ."""
    folder = request.out or _newest(spec, request)
    run = RunFolder(folder)
    values = run.read_config()
    if values.get("model") != request.model:
        raise UsageError(f"{folder} is a run of {values.get('model')}, not of {request.model}")
    _, before, _ = run.parse_config(values, lambda _: spec)
    stored = sectioned_settings(spec, values["config"], str(folder / CONFIG))
    above = unique(request.settings)
    if request.file is not None:
        above = overlay(file_settings(spec, request.file), above)
    if request.preset is not None:
        above = overlay(preset_settings(spec, request.preset), above)
    config = validate(spec, overlay(stored, above))
    source = config.data.source
    named = replace(config, data=config.data.model_copy(update={"source": name_of(source)}))
    for key, old, new in changed(before, named):
        raise UsageError(
            f"{folder} was begun with {key} = {json.dumps(old)}, not {json.dumps(new)}: "
            "leave it as it was, or begin another run with --out"
        )
    if source == before.data.source:
        source = run.read_data_record().get("source", source)
    return folder, replace(config, data=config.data.model_copy(update={"source": source}))


def _newest(spec: ModelSpec, request: Request) -> Path:
    sources = [setting.value for setting in request.settings if setting.name == "data.source"]
    if not sources:
        config = resolve(spec, request.preset, request.file, request.settings)
        sources = [config.data.source]
    base = Path("runs") / f"{request.model}-{file_name(sources[0])}"
    standing = list(itertools.takewhile(Path.exists, _numbered(base)))
    if not standing:
        raise UsageError(f"there is no run {base} to go on with: name one with --out")
    return standing[-1]


def _numbered(base: Path) -> Iterator[Path]:
    yield base
    for number in itertools.count(2):
        yield base.with_name(f"{base.name}-{number}")


def unasked_preset(spec: ModelSpec, request: Request) -> str | None:
    """What is told of the preset that holds unasked, where it was made for other data than the
    user's: the bits of a value, say, are its own. None where nothing is to be told."""
    named = request.preset is not None or request.file is not None or request.resume
    sources = [setting.value for setting in request.settings if setting.name == "data.source"]
    if named or not sources:
        return None
    name, preset = next(iter(spec.presets.items()), ("", {}))
    made_for = preset.get("data", {}).get("source")
    if made_for is None or name_of(sources[0]) == made_for:
        return None
    return (
        f"No preset was named: settings are those of {name}, made for {made_for}. "
        f"zoo show {request.model} has them all."
    )


def leads() -> bool:
    """Whether this is the first process on its machine."""
    return os.environ.get("LOCAL_RANK", "0") == "0"
