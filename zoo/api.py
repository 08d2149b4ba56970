"""The Python API: lists, builds, trains and loads models as the commands do."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import hookspecs
from zoo.errors import UsageError
from zoo.plugins.host import Host
from zoo.specs import ImageSpec, ModelSpec
from zoo.system.console import say_loading
from zoo.system.device import check_device_name
from zoo.system.retry import SECONDS

if TYPE_CHECKING:
    from torch import nn

    from zoo.run import Run
    from zoo.runs.stored import StoredRun
    from zoo.system.progress import Progress
    from zoo.training.request import Request


@functools.cache
def host() -> Host:
    """Returns the host of this process, with all installed plugins loaded."""
    plugins = Host(hookspecs)
    plugins.load_entry_points()
    return plugins


_TRAINING = ("steps", "epochs", "minutes", "batch_size", "seed", "precision")


def list_models() -> list[ModelSpec]:
    """Returns the models of all working plugins, sorted by name."""
    return list(host().models.values())


def build(
    model: str,
    *,
    preset: str | None = None,
    image_size: int = 32,
    channels: int = 3,
    classes: int = 0,
    bits: int = 8,
    **config: Any,
) -> nn.Module:
    """Returns a network with random weights from torch's global generator, as torch's layers do.

    ``config`` are keys of the model's own section; they override the defaults or a ``preset``.
    Raises UsageError for an unknown model, preset or key and for a value out of bounds.
    """
    from zoo.config.resolve import (
        Setting,
        argument_label,
        preset_settings,
        setting_of,
        validate,
    )

    plugins = host()
    spec = plugins.spec(model)
    defaults = [] if preset is None else preset_settings(spec, preset)
    overrides = [
        setting_of(spec, f"model.{key}", value, argument_label(key, value))
        for key, value in config.items()
    ]
    settings = [setting for setting in defaults if setting.section == "model"] + overrides
    settings += [
        Setting("data", "size", image_size, argument_label("image_size", image_size)),
        Setting("data", "channels", channels, argument_label("channels", channels)),
        Setting("data", "bits", bits, argument_label("bits", bits)),
    ]
    if type(classes) is not int or classes < 0:
        raise UsageError(
            f"{argument_label('classes', classes)}: the number of classes must be at least 0"
        )
    import torch

    from zoo.model import build
    from zoo.sampling.seeding import GLOBAL_STATE

    image_spec = ImageSpec(channels, image_size, classes, bits)
    model_config = validate(spec, settings).model
    with GLOBAL_STATE:  # not the state that a training in another thread has set
        return build(plugins.owner(model), model_config, image_spec, torch.device("cpu")).network


def train(
    model: str,
    *,
    preset: str | None = None,
    data: str | Path | None = None,
    config: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    accept_changes: bool = False,
    from_: str | Path | None = None,
    from_partial: bool = False,
    freeze: str | Sequence[str] = (),
    retry: float = SECONDS,
    device: str = "auto",
    track: str | None = None,
    quiet: bool = False,
    **training: Any,
) -> Run:
    """Trains a model and returns its run.

    ``data`` is a source as in ``zoo train --data``; ``config`` sets any key (``{"depth": 8,
    "training.learning_rate": 1e-3}``); ``training`` are ``steps``, ``epochs``, ``minutes``,
    ``batch_size``, ``seed`` and ``precision``. With ``accept_changes`` a run resumes though its
    config.json or its data were changed; a file that cannot be written, because the disk is full
    or fails, is tried again for ``retry`` seconds. ``from_`` is a run, as for :func:`load`, whose
    weights and settings the new one starts from; with ``from_partial`` only what fits of them.
    Parameters whose names match a pattern of ``freeze`` do not train. Raises UsageError and
    ZooError as the command does.
    """
    from zoo.config.resolve import Setting, argument_label, setting_of
    from zoo.system.progress import Progress, progress
    from zoo.training.request import Request

    if unknown := set(training) - set(_TRAINING):
        raise TypeError(f"train() got an unexpected argument {sorted(unknown)[0]!r}")
    plugins = host()
    spec = plugins.spec(model)
    settings = [
        Setting("training", key, value, argument_label(key, value))
        for key, value in training.items()
        if value is not None
    ]
    if data is not None:
        settings.append(Setting("data", "source", str(data), argument_label("data", str(data))))
    if patterns := [freeze] if isinstance(freeze, str) else list(freeze):
        label = argument_label("freeze", patterns)
        settings.append(Setting("training", "freeze", patterns, label))
    settings += [
        setting_of(spec, key, value, f"config {argument_label(key, value)}")
        for key, value in (config or {}).items()
    ]
    request = Request(
        model=model,
        preset=preset,
        settings=settings,
        out=None if out is None else Path(out),
        resume=resume,
        device=device,
        track=track,
        accept_changes=accept_changes,
        retry=retry,
        parent=None if from_ is None else str(from_),
        partial=from_partial,
        read=parent_reader(),
    )
    return train_request(request, Progress() if quiet else progress())


def train_request(request: Request, progress: Progress) -> Run:
    """Trains as requested and returns the run; a request that cannot be met is refused before torch
    is imported. Raises as :func:`train`."""
    from zoo.system.launcher import launched
    from zoo.training.request import check_request

    plugins = host()
    subject = check_request(plugins.spec(request.model), request)
    if launched().rank == 0:
        say_loading(subject, progress.say)
    from zoo import run

    return run.train(plugins, request, progress)


def load(
    source: str | Path, device: str = "auto", revision: str | None = None, token: str | None = None
) -> Run:
    """Returns the run in a folder, or the one called ``"user/repo"`` or ``"user/repo@revision"``.

    ``device`` is ``"auto"`` (CUDA if available), ``"cpu"`` or ``"cuda"``. Raises UsageError if
    ``source`` is not a run, ZooError if its weights are missing or do not fit.
    """
    return load_stored(read_run(source, revision, token), device)


def parent_reader() -> Callable[[str], StoredRun]:
    """Returns a function that reads a run to start from, with its card if it has one, and fetches
    each once."""
    from zoo.runs.folder import CARD

    return functools.cache(lambda source: read_run(source, optional=(CARD,)))


def read_run(
    source: str | Path,
    revision: str | None = None,
    token: str | None = None,
    optional: Sequence[str] = (),
) -> StoredRun:
    """Reads the configuration of a run that has weights, without torch, and fetches the files of
    ``optional`` that it has; raises as :func:`load`."""
    from zoo.runs.folder import CONFIG, WEIGHTS, RunFolder
    from zoo.runs.sources import is_here, split
    from zoo.runs.stored import StoredRun

    path = locate(source, (CONFIG, WEIGHTS), optional, revision, token)
    name = None if is_here(source) else "@".join(filter(None, split(source, revision)))
    stored = StoredRun.read(RunFolder(path), host().spec, name)
    with stored.named():
        stored.require_weights()
    return stored


def load_stored(stored: StoredRun, device: str = "auto") -> Run:
    """Loads the network of a run that :func:`read_run` returned; raises as :func:`load`."""
    check_device_name(device)
    from zoo import run

    with stored.named():
        return run.load_stored(host(), stored, device)


def locate(
    source: str | Path,
    files: Sequence[str],
    optional: Sequence[str] = (),
    revision: str | None = None,
    token: str | None = None,
) -> Path:
    """Returns the folder of a run, fetched if need be: :func:`zoo.runs.sources.local` with the
    plugins of this process."""
    from zoo.runs.sources import local

    return local(source, files, optional, revision, token, fetcher=lambda: host().fetcher())
