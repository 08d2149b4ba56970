"""The conformance kit: every promise, in the order in which one would mend them."""

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
from zoo.config.resolve import Setting, argument_label, preset_settings, setting_of, validate
from zoo.errors import Interrupted, UsageError
from zoo.plugins.host import Host
from zoo.specs import ImageSpec
from zoo.system.device import choose_device
from zoo.testing import (
    building,
    carding,
    configuring,
    drawing,
    encoding,
    exporting,
    importing,
    keeping,
    learning,
)
from zoo.testing.promise import Finding, Promise, Report, examine
from zoo.testing.subject import Subject

STEPS = 100

PROMISES: tuple[Promise, ...] = (
    importing.imports,
    configuring.presets,
    configuring.described,
    carding.card,
    configuring.remembered,
    building.builds,
    drawing.draws,
    building.every_choice,
    learning.trains,
    learning.learns,
    learning.scores,
    encoding.encodes,
    drawing.in_range,
    drawing.repeats,
    drawing.varies,
    drawing.alone,
    keeping.loads,
    keeping.reloads,
    keeping.unchanged,
    keeping.resumes,
    encoding.inverts,
    encoding.density,
    exporting.every_graph,
    exporting.every_format,
)


class Watcher:
    """Sees a check as it goes on; this one looks away."""

    def begins(self, promise: Promise) -> None:
        """A promise is measured now."""

    def found(self, finding: Finding) -> None:
        """A promise was measured."""


def check(
    model: str,
    *,
    preset: str | None = None,
    config: Mapping[str, Any] | None = None,
    steps: int = STEPS,
    device: str = "auto",
    host: Host | None = None,
) -> Report:
    """Put a model through every promise that a plugin makes; see ``zoo check``.

    It is trained for ``steps`` steps on the embedded digits, brought to the size and channels that
    its first preset, or ``preset`` and ``config``, ask for; ``host`` may have plugins that nobody
    installed. Whatever the plugin does, it becomes a finding; raises UsageError for an unknown
    model or preset, and for values that no run can have.
    """
    plugins = installed_host() if host is None else host
    spec = plugins.spec(model)
    settings = [
        setting_of(spec, key, value, f"config {argument_label(key, value)}")
        for key, value in (config or {}).items()
    ]
    return check_settings(plugins, model, preset, settings, steps, device)


def assert_conforms(model: str, **how: Any) -> None:
    """Assert that a model keeps every promise; takes what :func:`check` takes."""
    report = check(model, **how)
    broken = [f"{found.name}: {found.promise}: {found.measured}" for found in report.broken]
    assert not broken, "\n".join([f"{model} breaks {len(broken)} of its promises:", *broken])


def check_settings(
    host: Host,
    model: str,
    preset: str | None = None,
    settings: Sequence[Setting] = (),
    steps: int = STEPS,
    device: str = "auto",
    watcher: Watcher | None = None,
) -> Report:
    """:func:`check` as the command calls it; raises Interrupted after Ctrl-C or SIGTERM."""
    if steps < 1:
        raise UsageError(f"the number of steps must be at least 1, got {steps}")
    watcher = watcher or Watcher()
    where = choose_device(device)
    found: dict[str, Finding] = {}
    with tempfile.TemporaryDirectory(prefix="zoo-check-") as folder, _as_it_was():
        subject = Subject(host, model, preset, settings, steps, where, Path(folder))
        image = _image(subject)
        for promise in PROMISES:
            watcher.begins(promise)
            try:
                found[promise.name] = finding = examine(promise, subject, found)
            except Interrupted as error:  # its own words tell how to go on with the run
                raise Interrupted("interrupted: nothing was kept", error.exit_code) from None
            watcher.found(finding)
    plugin = host.owner(model).plugin.reference()
    return Report(model, plugin, image, tuple(found.values()))


def _image(subject: Subject) -> ImageSpec | None:
    """The pictures that the model is checked on; None where its own preset is no configuration.

    Raises UsageError where it is the caller who asked for what cannot be.
    """
    spec = subject.spec
    below = preset_settings(spec, subject.preset) if subject.preset is not None else []
    try:
        validate(spec, below or preset_settings(spec, None))
    except UsageError:
        return None
    return subject.image


@contextmanager
def _as_it_was() -> Iterator[None]:
    """Inside, convolutions are exact float32 on CUDA too; the global generators and that setting
    are left as they were found."""
    states = random.getstate(), np.random.get_state()
    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    exact = torch.backends.cudnn.flags(
        enabled=torch.backends.cudnn.enabled,
        benchmark=torch.backends.cudnn.benchmark,
        deterministic=torch.backends.cudnn.deterministic,
        allow_tf32=False,
    )
    with torch.random.fork_rng(devices), exact:
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
