"""Schemas, with bounds, of the JSON files that a run is read back from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from zoo.errors import ZooError
from zoo.system.files import read_bounded

MAX_STEP = 10**12
MAX_SECONDS = 10**12


class Damaged(ZooError):
    """A file is not as genzoo wrote it; the message says which, and how it differs."""


class Record(BaseModel):
    """Strict, frozen, and closed to unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        allow_inf_nan=False,
        defer_build=True,
        protected_namespaces=(),
    )


Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 in hexadecimal digits."""

Source = Annotated[str, Field(max_length=2**12, pattern=r"^[^\x00]*$")]
"""A path or a name."""

Step = Annotated[int, Field(ge=0, le=MAX_STEP)]
Number: TypeAlias = bool | int | float
Value: TypeAlias = Number | str | Annotated[list[Number], Field(max_length=16)] | None
"""A setting of an optimizer."""

Index = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,8})$")]


class Best(Record):
    """The best validation of a run, whose weights it keeps: the step, the metric and its value."""

    step: Step
    metric: Annotated[str, Field(max_length=100)]
    value: float

    def __str__(self) -> str:
        return f"step {self.step}, the best by {self.metric.replace('_', ' ')}: {self.value:.4f}"


class Validated(Record):
    """The ``best`` validation so far, and the number of validations ``since`` then."""

    best: Best
    since: Annotated[int, Field(ge=0)] = 0


class Progress(Record):
    """Steps and seconds trained so far; ``validated`` where the best weights are kept."""

    step: Step
    seconds: Annotated[float, Field(ge=0, le=MAX_SECONDS)]
    validated: Validated | None = None


class OptimizerState(Record):
    """The plain values of an optimizer: its groups' settings and ``params``, indices of parameters;
    and what it keeps of a parameter, by its index, beside tensors."""

    groups: list[dict[str, Value | list[int]]]
    state: dict[Index, dict[str, Value]]


class TrainingState(Record):
    """``state.json`` of a checkpoint; before format version 4 it states no version and the
    checkpoint has no hashes."""

    format_version: Literal[4] | None = None
    progress: Progress
    optimizers: dict[str, OptimizerState]


class Stored(Record):
    """Size and hash of a file."""

    bytes: Annotated[int, Field(ge=0)]
    sha256: Digest


class Manifest(Record):
    """``manifest.json`` of a checkpoint: its step and all of its other files."""

    format_version: Literal[4] = 4
    step: Step
    files: dict[str, Stored]


class Integrity(Record):
    """``integrity`` of a config.json: the hashes of the rest of that file and of the weights, which
    are those after ``step`` steps; None before the first checkpoint."""

    config: Digest
    step: Step | None = None
    weights: Digest | None = None


class Change(Record):
    """A setting that a resumed run has changed, after ``step`` steps."""

    step: Step
    key: str
    before: Any
    after: Any


class DataRecord(Record):
    """``checkpoints/data.json``: the path of the data, the number of training images, and the path
    of the run that this one started from."""

    source: Source
    images: Annotated[int, Field(ge=0)] | None = None
    parent: Source | None = None


T = TypeVar("T", bound=Record)


def read_record(path: Path, kind: type[T]) -> T:
    """Returns the record in a JSON file. Raises Damaged, which names the file."""
    return parse_record(read_json(path), kind, path.name)


def read_json(path: Path) -> Any:
    """Returns the contents of a JSON file. Raises Damaged, which names the file."""
    try:
        return json.loads(read_bounded(path))
    except FileNotFoundError:
        raise Damaged(f"{path.name} is missing") from None
    except OSError as error:
        raise Damaged(f"{path.name} cannot be read: {error.strerror or error}") from None
    except ZooError as error:
        raise Damaged(str(error).replace(str(path), path.name)) from None
    except (ValueError, RecursionError):
        raise Damaged(f"{path.name} is damaged: it is not valid JSON") from None


def parse_record(values: object, kind: type[T], label: str) -> T:
    """Returns values as a record. Raises Damaged: ``label`` and the first key that is wrong."""
    try:
        return kind.model_validate(values)
    except (ValidationError, RecursionError) as error:
        raise Damaged(f"{label} is damaged: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return "it is nested too deeply"
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    key = ".".join(str(part)[:40] for part in first["loc"][:4])
    if first["type"] == "missing":
        return f"{key} is missing"
    if first["type"] == "extra_forbidden":
        return f"{key} is not one of its keys"
    message = first["msg"].removeprefix("Input ")
    return f"{key}: {message[:1].lower()}{message[1:]}" if key else message


def plain(record: Record) -> Mapping[str, Any]:
    """Returns a record as JSON types, without what is None."""
    return record.model_dump(mode="json", exclude_none=True)
