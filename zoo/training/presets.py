"""Advice on presets where the default one is used with other data than it was made for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import log
from typing import TYPE_CHECKING

from zoo.config.sections import LIMITS
from zoo.data.names import name_of
from zoo.data.preparation.prepare import SizesDiffer
from zoo.errors import ZooError
from zoo.specs import ModelSpec
from zoo.training.request import Request

if TYPE_CHECKING:
    from zoo.data.dataset import Dataset


def default_preset(spec: ModelSpec, request: Request) -> str | None:
    """Returns the default preset with its settings, as text, if it is used with other data than it
    was made for, else None."""
    named = request.preset or request.file or request.parent or request.resume
    own = {setting.name: setting.value for setting in request.settings}
    if named or "data.source" not in own:
        return None
    name, preset = next(iter(spec.presets.items()))
    data, training = preset.get("data", {}), preset.get("training", {})
    made_for = data.get("source")
    if made_for is None or name_of(own["data.source"]) == made_for:
        return None
    settings = {f"data.{key}": value for key, value in data.items() if key != "source"}
    if not any(f"training.{key}" in own for key in LIMITS):
        settings |= {f"training.{key}": training[key] for key in LIMITS if key in training}
    kept = ", ".join(f"{key} = {value}" for key, value in settings.items() if key not in own)
    return f"the default preset {name}, made for {made_for}{f' with {kept}' if kept else ''}"


def preset_note(spec: ModelSpec, request: Request, data: Dataset) -> str | None:
    """Returns a note on :func:`default_preset` with the preset that fits the data, None where it is
    None."""
    default = default_preset(spec, request)
    if default is None:
        return None
    smallest = min(map(min, data.sizes), default=data.image_spec.size)
    fitting = _fitting(spec, data.image_spec.channels, data.image_spec.size, smallest)
    advice = f"{fitting} fits these images" if fitting else "no other preset fits these images"
    return f"using {default}; {advice}, and zoo show {spec.name} lists all"


@contextmanager
def advising(spec: ModelSpec, request: Request) -> Iterator[None]:
    """Adds the preset that fits to an error for images of different sizes inside, where
    :func:`default_preset` is not None."""
    try:
        yield
    except SizesDiffer as error:
        default = default_preset(spec, request)
        fitting = _fitting(spec, error.channels, error.size, error.size)
        if default is None or fitting is None:
            raise
        raise ZooError(f"{error}, or replace {default}, by {fitting}") from error


def _fitting(spec: ModelSpec, channels: int, size: int, smallest: int) -> str | None:
    """Returns the option of the preset nearest to images of ``channels`` and ``size`` pixels a
    side, other than the default, that enlarges none of ``smallest`` pixels; None if there is none.
    """
    fits: dict[str, float] = {}
    for name, preset in [*spec.presets.items()][1:]:
        data = preset.get("data", {})
        own = data.get("size")
        if own is None or own > smallest + 2 * data.get("pad", 0):
            continue
        if data.get("channels") in (None, channels):
            fits[name] = abs(log(own / size))
    if not fits:
        return None
    name = min(fits, key=lambda name: fits[name])
    data = spec.presets[name]["data"]
    return f"--preset {name} ({channels}x{data['size']}x{data['size']}, {data.get('bits', 8)} bits)"
