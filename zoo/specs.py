"""Small typed records that plugins and the core exchange, without torch."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from zoo.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

Capability = Literal["sample", "encode", "log_prob", "interpolate"]
CAPABILITIES: tuple[Capability, ...] = ("sample", "encode", "log_prob", "interpolate")
"""Capabilities of models, in the order in which they are printed."""

LatentDistribution = Literal["normal", "uniform", "logistic"]

Labels = str | int | Sequence[str | int] | Any | None
"""One class, one for each image (a sequence, array or tensor), or None: the classes in turn.

A str is the name of a class; an int is the class of that name if all names are integers, else an
index.
"""

Preset = Mapping[str, Mapping[str, Any]]
"""Values of a preset by section: ``{"model": {...}, "data": {...}, "training": {...}}``."""


class Section(BaseModel):
    """A frozen set of values; strict, so that ``true`` is not 1, and closed to unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        defer_build=True,
        protected_namespaces=(),
    )

    @field_validator("*", mode="before")
    @classmethod
    def _check_type_of_choice(cls, value: object, info: ValidationInfo) -> object:
        """Refuses ``true`` and 1.0 where 1 is a choice: Python and pydantic treat them as
        equal."""
        if isinstance(value, bool | int | float):
            choices = _choices(cls.model_fields[str(info.field_name)].annotation)
            same = [type(choice) for choice in choices if choice == value]
            if same and type(value) not in same:
                raise ValueError(f"must be {' or '.join(map(repr, choices))}")
        return value


class ModelConfig(Section):
    """Base of a model's own section of the configuration; a plugin adds a field per setting.

    Each field has a description, bounds and, where there is one, the paper's symbol.
    """


@dataclass(frozen=True, kw_only=True)
class CompileGain:
    """A measurement of what torch.compile saves in training, with fused optimizers in both.

    ``device`` is ``"cpu"`` or ``"cuda"``, ``precision`` is ``"fp32"`` or ``"bf16"``.
    ``compile_seconds`` is the time of the first step with an empty cache, ``step_seconds`` that of
    a step without torch.compile for a billion of :func:`zoo.training.compile_choice.work_of`, and
    ``saved`` the fraction of it that is saved.
    """

    device: str
    precision: str
    compile_seconds: float
    step_seconds: float
    saved: float

    def saved_seconds(self, billions: float, steps: int | None, seconds: float | None) -> float:
        """Returns the seconds saved in a run of at most ``steps`` and ``seconds``."""
        limits = [] if steps is None else [steps * billions * self.step_seconds]
        return self.saved * min([*limits, *([] if seconds is None else [seconds])], default=0.0)


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """A model that a plugin offers.

    The first of the ``presets`` is the default. ``capabilities`` are those that the plugin's hooks
    provide; every model has ``sample`` and ``interpolate``. ``temperature`` is the default for
    sampling. ``card`` names the text of its model card as ``"package:file"``, or is None.
    ``compile_gains`` are measurements that ``training.compile = auto`` decides by; without one it
    is off.
    """

    name: str
    family: str
    title: str
    paper: str
    config: type[ModelConfig]
    presets: Mapping[str, Preset]
    capabilities: tuple[Capability, ...] = ("sample", "interpolate")
    temperature: float = 1.0
    card: str | None = None
    compile_gains: Sequence[CompileGain] = ()

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_-]*", self.name):
            raise ValueError(
                f"the model name {self.name!r} must be lower-case letters, digits, - and _"
            )
        if not self.presets:
            raise ValueError(f"the model {self.name!r} has no preset: add at least one")
        if unknown := set(self.capabilities) - set(CAPABILITIES):
            raise ValueError(f"the model {self.name!r} claims unknown capabilities {unknown}")

    def require(self, capability: Capability) -> None:
        """Raises UsageError that lists the capabilities if ``capability`` is not among them."""
        if capability in self.capabilities:
            return
        if capability == "log_prob":
            raise UsageError(f"{self.name} has no exact likelihood")
        capabilities = " and ".join(self.capabilities)
        raise UsageError(f"{self.name} cannot {capability}: it can {capabilities}")


@dataclass(frozen=True)
class ImageSpec:
    """Shape, levels and classes of images.

    ``channels`` is 1 or 3, ``size`` is in pixels, ``classes`` is their number (0 without labels),
    ``bits`` those of a pixel value (1 to 8). ``class_names`` has a name for each class; it is empty
    without labels, and for runs of genzoo before format version 3.
    """

    channels: int
    size: int
    classes: int = 0
    bits: int = 8
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.class_names and len(self.class_names) != self.classes:
            raise ValueError(f"{len(self.class_names)} names for {self.classes} classes")

    @property
    def dimensions(self) -> int:
        """Number of values in an image, C * S * S."""
        return self.channels * self.size**2


@dataclass(frozen=True)
class Latent:
    """The latents of a network: flat vectors of ``size`` numbers from ``distribution``, with one
    of ``classes`` labels if it is conditional (0: unconditional)."""

    size: int
    distribution: LatentDistribution = "normal"
    classes: int = 0


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A module to export as a graph, with named example inputs and the names of its outputs."""

    name: str
    module: nn.Module
    inputs: Mapping[str, Tensor]
    outputs: tuple[str, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)


class ExportedModel(Protocol):
    """Generates the images of a run without torch, as :class:`zoo.sampling.sampler.Sampler` does:
    float32 ``[N, C, H, W]`` in [0, 1]. ``labels`` are :data:`Labels`."""

    def sample(
        self,
        n: int = 64,
        *,
        seed: int = 0,
        temperature: float | None = None,
        labels: Labels = None,
    ) -> NDArray[np.float32]: ...

    def interpolate(
        self,
        rows: int = 8,
        columns: int = 8,
        *,
        seed: int = 0,
        temperature: float | None = None,
        labels: Labels = None,
    ) -> NDArray[np.float32]: ...


@dataclass(frozen=True)
class Format:
    """A format that runs are exported in, for use without the network.

    ``export(run, **options)`` writes files, by default into the folder ``name`` of the run, and
    returns them. ``open(source, device)`` returns an :class:`ExportedModel` from the files of a run
    folder, or of a run elsewhere by its name, on ``"auto"``, ``"cpu"`` or ``"cuda"``; it raises
    ZooError if they are missing or of other weights than the run's. ``missing()`` returns a
    sentence about what has to be installed first, or None.
    """

    name: str
    export: Callable[..., Sequence[Any]]
    open: Callable[[Path | str, str], ExportedModel]
    missing: Callable[[], str | None]


def _choices(annotation: Any) -> tuple[Any, ...]:
    """Returns the values of all ``Literal`` types inside an annotation."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return tuple(value for part in get_args(annotation) for value in _choices(part))
