"""Metadata of exported graphs: in the file itself and in the parity report beside it.

The names of the fields are the stored keys, unless an alias names the key. Imports no torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from zoo.config import text as texts
from zoo.errors import ZooError
from zoo.specs import Latent, LatentDistribution
from zoo.system.files import read_bounded, sha256_of

Count = Annotated[int, Field(ge=0)]
Size = Annotated[int, Field(ge=1)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Record(BaseModel):
    """Strict and frozen; a plugin may store keys of its own beside these."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="ignore", defer_build=True, protected_namespaces=()
    )


class Description(_Record):
    """The graph, its model and its data, as file and report state them alike.

    ``class_names`` has a name for each of ``classes``, or is empty.
    """

    library_name: Literal["genzoo"]
    genzoo_version: str
    model: str
    family: str
    title: str
    paper: str
    graph: str
    precision: str
    opset: int
    latent_size: Size
    latent_distribution: LatentDistribution
    classes: Count
    class_names: Annotated[tuple[str, ...], Field(strict=False)] = ()
    temperature: Finite
    image_shape: Annotated[tuple[Size, Size, Size], Field(strict=False)]
    image_range: Annotated[tuple[int, int], Field(strict=False)] = (0, 1)
    image_bits: Size
    data: str
    data_license: str | None = Field(None, alias="data_licence")
    weights_sha256: str | None = None

    OF_MODEL: ClassVar = (
        *("model", "family", "title", "paper", "latent_size", "latent_distribution", "classes"),
        *("class_names", "temperature", "image_shape", "image_bits", "data"),
    )
    """The fields that the graphs of one model share."""

    @field_validator("class_names")
    @classmethod
    def _a_name_for_each_class(
        cls, names: tuple[str, ...], info: ValidationInfo
    ) -> tuple[str, ...]:
        if len({*names}) != len(names) or len(names) not in (0, info.data.get("classes")):
            raise ValueError("must be a name for each class")
        return names

    @property
    def latent(self) -> Latent:
        return Latent(self.latent_size, self.latent_distribution, self.classes)

    def values(self) -> dict[str, Any]:
        """The values to store, by key; without those that are None, and without names if there are
        none."""
        values = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        if not self.class_names:
            del values["class_names"]
        return values

    def difference(self, other: Description) -> str | None:
        """The first field that shows two graphs to be of different models, or None."""
        fields = (name for name in self.OF_MODEL if getattr(self, name) != getattr(other, name))
        return next(fields, None)


class Metadata(Description):
    """The metadata in an ONNX file.

    ``parity`` is the largest error of each output against torch in float64, ``round_trip`` that of
    images encoded and sampled again.
    """

    parity: Mapping[str, Finite] = Field({}, alias="parity_max_abs_error")
    parity_reference: str | None = None
    round_trip: Finite | None = Field(None, alias="parity_round_trip")

    @classmethod
    def read(cls, stored: Mapping[str, str], path: Path, graph: str) -> Self:
        """Reads the metadata of the file ``path``, by key.

        Raises ZooError for a file that genzoo did not write, and for another graph than ``graph``.
        """
        values = {key: text if key in _TEXTS else texts.read(text) for key, text in stored.items()}
        try:
            metadata = cls.model_validate(values)
        except ValidationError as error:
            raise ZooError(_sentence(path, graph, _reason(error))) from None
        if metadata.graph != graph:
            raise ZooError(_sentence(path, graph, f"state graph {metadata.graph!r}"))
        return metadata


class OutputParity(_Record):
    """An output's largest error against torch in float64, its tolerance, and the figures of each
    batch size."""

    error: float = Field(alias="max_abs_error_float64")
    tolerance: float
    batches: Mapping[str, Any]


class RoundTrip(_Record):
    """The largest error of images encoded and sampled again."""

    error: float = Field(alias="max_abs_error")


class ParityReport(Description):
    """The parity report beside an ONNX file."""

    sha256: str
    onnxruntime_version: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, OutputParity]
    round_trip: RoundTrip | None = None

    @classmethod
    def read(cls, path: Path) -> Self:
        """Reads ``path``. Raises ZooError where it is not a parity report of genzoo's."""
        try:
            return cls.model_validate(json.loads(read_bounded(path)))
        except ValidationError as error:
            reason = f"its values {_reason(error)}"
        except OSError as error:
            reason = error.strerror or str(error)
        except (ValueError, RecursionError):
            reason = "it is not JSON"
        raise ZooError(f"{path} is not a parity report: {reason}; zoo export writes one")


def read_report(path: Path, weights: str | None) -> ParityReport:
    """Returns the parity report of the graph ``path`` of a run whose weights have the SHA-256
    ``weights``.

    Raises ZooError, with the fix, if it is missing, damaged, of another file or other weights, or
    if an error exceeds its tolerance.
    """
    fix = f"zoo export {path.parents[1]} writes the graphs again"
    if not path.with_suffix(".json").is_file():
        raise ZooError(f"{path} has no parity report beside it: {fix}")
    report = ParityReport.read(path.with_suffix(".json"))
    if report.sha256 != sha256_of(path):
        raise ZooError(f"{path} is not the file of its parity report: {fix}")
    if report.weights_sha256 != weights:
        raise ZooError(f"{path} was exported from other weights than the run's: {fix}")
    for name, output in report.outputs.items():
        if not output.error <= output.tolerance:
            raise ZooError(
                f"{path} does not agree with the network, {name} differs by {output.error:.2g}, "
                f"the tolerance is {output.tolerance:.2g}: {fix}"
            )
    return report


def parity_values(errors: Mapping[str, float], round_trip: float | None) -> dict[str, Any]:
    """The values that a comparison adds to the metadata of a file, by key."""
    values = {
        "parity_max_abs_error": dict(errors),
        "parity_reference": "the network in float64",
        "parity_round_trip": round_trip,
    }
    return {key: value for key, value in values.items() if value is not None}


_TEXTS = frozenset(
    field.alias or name
    for name, field in Metadata.model_fields.items()
    if field.annotation in (str, str | None)
)
"""Keys whose values are text, even where it looks like a number: a folder of data called 7."""


def _reason(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False)[0]
    key = ".".join(map(str, first["loc"]))
    return f"lack {key}" if first["type"] == "missing" else f"state {key} {first['input']!r:.80}"


def _sentence(path: Path, graph: str, reason: str) -> str:
    return f"{path} is not a genzoo {graph}: its metadata {reason}; zoo export writes one"
