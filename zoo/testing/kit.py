"""The conformance kit: all promises, in the order in which to fix them."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from zoo.api import host as installed_host
from zoo.config.check import check_call
from zoo.config.resolve import Setting, argument_label, setting_of
from zoo.errors import Interrupted, UsageError
from zoo.plugins.host import Host
from zoo.specs import ImageSpec
from zoo.system.device import choose_device
from zoo.system.launcher import launched
from zoo.testing import (
    building,
    card,
    configuration,
    encoding,
    exporting,
    importing,
    sampling,
    saving,
    training,
)
from zoo.testing.promise import Finding, Promise, Report, examine
from zoo.testing.subject import Subject

STEPS = 100

PROMISES: tuple[Promise, ...] = (
    importing.imports,
    configuration.presets,
    configuration.descriptions,
    card.card,
    configuration.restored_config,
    building.builds,
    sampling.samples,
    building.every_choice,
    training.trains,
    training.learns,
    training.scores,
    encoding.encodes,
    sampling.in_range,
    sampling.deterministic,
    sampling.varies,
    sampling.independent,
    saving.loads,
    saving.reloads,
    saving.unchanged,
    saving.resumes,
    encoding.inverts,
    encoding.density,
    exporting.every_graph,
    exporting.every_format,
)


class Watcher:
    """Observes a check; this base class ignores everything."""

    def started(self, promise: Promise) -> None:
        """Called before a promise is measured."""

    def finished(self, finding: Finding) -> None:
        """Called after a promise is measured."""


def check(
    model: str,
    *,
    preset: str | None = None,
    config: Mapping[str, Any] | None = None,
    steps: int = STEPS,
    device: str = "auto",
    host: Host | None = None,
) -> Report:
    """Checks a model against every promise; see ``zoo check``.

    The model trains for ``steps`` steps on the embedded digits, padded to the size and channels of
    its first preset, or of ``preset`` and ``config``. ``host`` may hold plugins that are not
    installed. Any failure of the plugin becomes a finding; raises UsageError for an unknown model
    or preset, and for invalid values.
    """
    plugins = installed_host() if host is None else host
    spec = plugins.spec(model)
    settings = [
        setting_of(spec, key, value, f"config {argument_label(key, value)}")
        for key, value in (config or {}).items()
    ]
    return check_settings(plugins, model, preset, settings, steps, device)


def assert_conforms(model: str, **options: Any) -> None:
    """Asserts that a model keeps every promise; ``options`` are those of :func:`check`."""
    report = check(model, **options)
    broken = [f"{f.name}: {f.promise}: {f.measured}" for f in report.broken]
    assert not broken, "\n".join([str(report), *broken])


def check_settings(
    host: Host,
    model: str,
    preset: str | None = None,
    settings: Sequence[Setting] = (),
    steps: int = STEPS,
    device: str = "auto",
    watcher: Watcher | None = None,
) -> Report:
    """:func:`check` with parsed settings; raises Interrupted after Ctrl-C or SIGTERM."""
    if steps < 1:
        raise UsageError(f"steps must be at least 1, got {steps}")
    if (processes := launched().world) > 1:
        raise UsageError(f"zoo check runs in one process: a launcher started {processes}")
    watcher = watcher or Watcher()
    torch_device = choose_device(device)
    findings: dict[str, Finding] = {}
    with tempfile.TemporaryDirectory(prefix="zoo-check-") as folder, _global_state():
        subject = Subject(host, model, preset, settings, steps, torch_device, Path(folder))
        image = _image(subject)
        for promise in PROMISES:
            watcher.started(promise)
            try:
                findings[promise.name] = finding = examine(promise, subject, findings)
            except Interrupted as error:  # its message explains how to resume a deleted run
                raise Interrupted("interrupted; nothing is saved", error.exit_code) from None
            watcher.finished(finding)
    plugin = host.owner(model).plugin.reference()
    return Report(model, plugin, image, tuple(findings.values()))


def _image(subject: Subject) -> ImageSpec | None:
    """Returns the spec of the images that the model is checked on; None if its default preset is
    invalid.

    Raises UsageError for an invalid ``preset`` or settings of the caller.
    """
    valid = check_call(subject.spec, subject.preset, subject.user_settings)
    return subject.image if valid else None


@contextmanager
def _global_state() -> Iterator[None]:
    """Turns TF32 convolutions off inside, and restores that setting and the global generators."""
    states = random.getstate(), np.random.get_state()
    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    no_tf32 = torch.backends.cudnn.flags(
        enabled=torch.backends.cudnn.enabled,
        benchmark=torch.backends.cudnn.benchmark,
        deterministic=torch.backends.cudnn.deterministic,
        allow_tf32=False,
    )
    with torch.random.fork_rng(devices), no_tf32:
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
