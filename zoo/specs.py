"""What plugins and the core tell each other: small typed records, free of torch."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

Capability = Literal["sample", "encode", "log_prob", "interpolate"]
CAPABILITIES: tuple[Capability, ...] = ("sample", "encode", "log_prob", "interpolate")
"""What a model can do, in the order in which it is printed."""

LatentDistribution = Literal["normal", "uniform", "logistic"]

Preset = Mapping[str, Mapping[str, Any]]
"""Values of a preset by section: ``{"model": {...}, "data": {...}, "training": {...}}``."""


class Section(BaseModel):
    """A frozen set of values; strict, so that ``true`` is no 1, and closed to unknown keys."""

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
    def _a_choice_is_of_its_own_kind(cls, value: object, info: ValidationInfo) -> object:
        """Refuses ``true`` and 1.0 where 1 is a choice: Python holds them equal, and pydantic
        too."""
        if isinstance(value, bool | int | float):
            choices = _choices(cls.model_fields[str(info.field_name)].annotation)
            same = [type(choice) for choice in choices if choice == value]
            if same and type(value) not in same:
                raise ValueError(f"must be {' or '.join(map(repr, choices))}")
        return value


class ModelConfig(Section):
    """The base of every model's own section: a plugin adds a field for each thing one can set.

    Each field has a description, bounds and, where there is one, the paper's symbol.
    """


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """A model that a plugin offers.

    ``presets`` by name; the first is taken when the user names none. ``capabilities`` are what the
    plugin's hooks can do with it; ``sample`` and ``interpolate`` every model can. ``temperature``
    is the one that its pictures look best at. ``card`` names the text of its model card as
    ``"package:file"``, or is None.
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

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_-]*", self.name):
            raise ValueError(
                f"the model name {self.name!r} is not lower-case letters, digits, - and _"
            )
        if not self.presets:
            raise ValueError(f"the model {self.name!r} has no preset: it needs one at least")
        if unknown := set(self.capabilities) - set(CAPABILITIES):
            raise ValueError(f"the model {self.name!r} claims unknown capabilities {unknown}")


@dataclass(frozen=True)
class ImageSpec:
    """The data's part of a network: ``channels`` (1 or 3), ``size`` in pixels, the number of
    ``classes`` (0 without labels) and the ``bits`` of a pixel value (1 to 8)."""

    channels: int
    size: int
    classes: int = 0
    bits: int = 8

    @property
    def dimensions(self) -> int:
        """Numbers in a picture, C * S * S."""
        return self.channels * self.size**2


@dataclass(frozen=True)
class Latent:
    """What a network draws pictures from: flat vectors of ``size`` numbers, and one of ``classes``
    labels where it is conditional (0: it is not)."""

    size: int
    distribution: LatentDistribution = "normal"
    classes: int = 0


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A module that an exporter turns into a graph, with example inputs and the names of both."""

    name: str
    module: nn.Module
    inputs: Mapping[str, Tensor]
    outputs: tuple[str, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)


class Generator(Protocol):
    """Generates the images of a run without torch, as :class:`zoo.sampling.sampler.Sampler` does:
    float32 ``[N, C, H, W]`` in [0, 1]."""

    def sample(
        self,
        n: int = 64,
        *,
        seed: int = 0,
        temperature: float | None = None,
        labels: int | Sequence[int] | None = None,
    ) -> NDArray[np.float32]: ...

    def interpolate(
        self,
        rows: int = 8,
        columns: int = 8,
        *,
        seed: int = 0,
        temperature: float | None = None,
        labels: int | Sequence[int] | None = None,
    ) -> NDArray[np.float32]: ...


@dataclass(frozen=True)
class Format:
    """What a run can be written as, for others to run.

    ``export(run, **options)`` writes files, by default into the folder ``name`` of the run, and
    returns what it wrote. ``open(source, device)`` returns a :class:`Generator` from the files of a
    run folder, or of a run elsewhere by its name, on ``"auto"``, ``"cpu"`` or ``"cuda"``; it raises
    ZooError where there are none or they are not of the run's weights. ``missing()`` says in a
    sentence what has to be installed first, or returns None.
    """

    name: str
    export: Callable[..., Sequence[Any]]
    open: Callable[[Path | str, str], Generator]
    missing: Callable[[], str | None]


def _choices(annotation: Any) -> tuple[Any, ...]:
    """The values of the ``Literal`` in an annotation, wherever it stands; none where none does."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return tuple(value for part in get_args(annotation) for value in _choices(part))
