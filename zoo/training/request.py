"""The request for a training run: its folder and its configuration."""

from __future__ import annotations

import itertools
import json
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
from zoo.data.names import check_source, file_name, name_of
from zoo.errors import UsageError
from zoo.runs.folder import CONFIG, RunFolder
from zoo.specs import ModelSpec
from zoo.system.device import check_device_name
from zoo.system.launcher import launched


@dataclass(frozen=True)
class Request:
    """Arguments of a training run; ``settings`` are those of flags and ``--set``."""

    model: str
    preset: str | None = None
    file: Path | None = None
    settings: Sequence[Setting] = ()
    out: Path | None = None
    resume: bool = False
    device: str = "auto"
    track: str | None = None


def resolve_request(spec: ModelSpec, request: Request) -> tuple[Path, Config]:
    """Returns the folder and configuration of a run, new or resumed; of a resumed one only the
    limits may differ.

    Raises UsageError or ZooError for all that is wrong with them, without torch.
    """
    return _resolve_resumed(spec, request) if request.resume else _resolve_new(spec, request)


def check_request(spec: ModelSpec, request: Request) -> str:
    """Returns what is trained, in a few words, without torch.

    Raises as :func:`resolve_request`, and UsageError for a device or data that cannot exist.
    """
    check_device_name(request.device)
    folder, config = resolve_request(spec, request)
    source = config.data.source
    check_source(source)
    subject = f"{spec.name} on {name_of(source)}"
    if request.resume:
        return f"{subject}, resuming {folder}"
    return f"{subject}, preset {request.preset or next(iter(spec.presets))}"


def _resolve_new(spec: ModelSpec, request: Request) -> tuple[Path, Config]:
    config = resolve(spec, request.preset, request.file, request.settings)
    if request.out is None:
        base = Path("runs") / f"{request.model}-{file_name(config.data.source)}"
        return next(path for path in _numbered(base) if not path.exists()), config
    taken = request.out.exists() and (not request.out.is_dir() or any(request.out.iterdir()))
    if taken and launched().local_main:  # other processes may see the files of the main process
        if (request.out / CONFIG).exists():
            raise UsageError(
                f"{request.out} is already a run: continue it with --resume, or choose another "
                "--out"
            )
        raise UsageError(f"{request.out} is not an empty folder: choose another --out")
    return request.out, config


def _resolve_resumed(spec: ModelSpec, request: Request) -> tuple[Path, Config]:
    folder = request.out or _newest(spec, request)
    run = RunFolder(folder)
    values = run.read_config()
    if values.get("model") != request.model:
        raise UsageError(f"{folder} is a run of {values.get('model')}, not of {request.model}")
    _, stored_config, _ = run.parse_config(values, lambda _: spec)
    stored = sectioned_settings(spec, values["config"], str(folder / CONFIG))
    overrides = unique(request.settings)
    if request.file is not None:
        overrides = overlay(file_settings(spec, request.file), overrides)
    if request.preset is not None:
        overrides = overlay(preset_settings(spec, request.preset), overrides)
    # The decision of a new run holds for all of it.
    overrides = [s for s in overrides if (s.name, s.value) != ("training.compile", "auto")]
    config = validate(spec, overlay(stored, overrides))
    source = config.data.source
    named = replace(config, data=config.data.model_copy(update={"source": name_of(source)}))
    for key, old, new in changed(stored_config, named):
        raise UsageError(
            f"{folder} was started with {key} = {json.dumps(old)}, not {json.dumps(new)}: "
            "keep it, or start another run with --out"
        )
    if source == stored_config.data.source:
        source = run.read_data_record().get("source", source)
    return folder, replace(config, data=config.data.model_copy(update={"source": source}))


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


def default_preset_note(spec: ModelSpec, request: Request) -> str | None:
    """Returns a note if the default preset is used with other data than it was made for, else
    None."""
    named = request.preset is not None or request.file is not None or request.resume
    sources = [setting.value for setting in request.settings if setting.name == "data.source"]
    if named or not sources:
        return None
    name, preset = next(iter(spec.presets.items()), ("", {}))
    made_for = preset.get("data", {}).get("source")
    if made_for is None or name_of(sources[0]) == made_for:
        return None
    return (
        f"using the default preset {name}, made for {made_for}; zoo show {request.model} lists "
        "all presets"
    )
