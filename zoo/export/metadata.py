"""Metadata of exported graphs, as they are in the file itself.

The names of the fields are the stored keys, unless an alias names the key. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import FailFast, Field, ValidationError, ValidationInfo, field_validator

from zoo.config import text as texts
from zoo.errors import ZooError
from zoo.export.fields import Count, Few, Finite, Name, Record, Size, Text, Unicode, reason_of
from zoo.specs import Latent, LatentDistribution
from zoo.system.files import MAX_JSON

MAX_NAMES = 2**20
"""Maximum characters of all class names in a file."""

MAX_TEXT = 2**16
"""Maximum characters of any other value, as it is stored."""


class Description(Record):
    """The graph, its model and its data, as file and report state them alike.

    ``class_names`` has a name for each of ``classes``, or is empty.
    """

    library_name: Literal["genzoo"]
    genzoo_version: Name
    model: Name
    family: Name
    title: Text
    paper: Text
    graph: Name
    precision: Name
    opset: Size
    latent_size: Size
    latent_distribution: LatentDistribution
    classes: Count
    class_names: Annotated[tuple[Unicode, ...], FailFast(), Field(strict=False)] = ()
    temperature: Annotated[Finite, Field(ge=0)]
    image_shape: Annotated[tuple[Size, Size, Size], Field(strict=False)]
    image_range: Annotated[tuple[int, int], Field(strict=False)] = (0, 1)
    image_bits: Annotated[int, Field(ge=1, le=8)]
    data: Text
    data_license: Text | None = Field(None, alias="data_licence")
    weights_sha256: Text | None = None

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

    parity: Few[Finite] = Field({}, alias="parity_max_abs_error")
    parity_reference: Text | None = None
    round_trip: Finite | None = Field(None, alias="parity_round_trip")

    @classmethod
    def read(cls, stored: Mapping[str, str], path: Path, graph: str) -> Self:
        """Reads the metadata of the file ``path``, by key.

        Raises ZooError for a file that genzoo did not write, and for another graph than ``graph``.
        """
        if (size := sum(len(key) + len(text) for key, text in stored.items())) > MAX_JSON:
            reason = f"have {size:,} characters, more than {MAX_JSON:,}"
            raise ZooError(_sentence(path, graph, reason))
        known = {key: text for key, text in stored.items() if key in _KEYS}
        for key, text in known.items():
            if len(text) > (maximum := 8 * MAX_NAMES if key == "class_names" else MAX_TEXT):
                reason = f"state {key} in {len(text):,} characters, more than {maximum:,}"
                raise ZooError(_sentence(path, graph, reason))
        values = {key: text if key in _TEXTS else texts.read(text) for key, text in known.items()}
        try:
            metadata = cls.model_validate(values)
        except ValidationError as error:
            raise ZooError(_sentence(path, graph, reason_of(error))) from None
        if metadata.graph != graph:
            raise ZooError(_sentence(path, graph, f"state graph {metadata.graph!r}"))
        return metadata

    def require_sizes(
        self,
        path: Path,
        inputs: Mapping[str, Sequence[int]],
        outputs: Mapping[str, Sequence[int]],
    ) -> None:
        """Raises ZooError if the metadata contradict the file ``path``, whose inputs and outputs
        have these sizes for an image: they decide how much is computed."""
        image, latent = self.image_shape, (self.latent_size,)
        stated: dict[str, Sequence[int]] = {"image": image, "z": latent, "mean": latent}
        stated |= {"log_variance": latent, "log_prob": ()}
        if self.graph == "sampler":
            complete = {"z"} <= {*inputs} <= {"z", "temperature", "label"} and "image" in outputs
        else:
            complete = {"image"} <= {*inputs} <= {"image", "label"}
            complete &= bool({"z", "mean"} & {*outputs})
        ends = [*inputs.items(), *outputs.items()]
        if not complete or any(
            tuple(sizes) != stated.get(name, tuple(sizes)) for name, sizes in ends
        ):
            reason = "and the graph disagree in their inputs, outputs or sizes"
            raise ZooError(_sentence(path, self.graph, reason))


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
    if field.annotation in (str, Text | None)
)
"""Keys whose values are text, even where it looks like a number: a folder of data called 7."""

_KEYS = frozenset(field.alias or name for name, field in Metadata.model_fields.items())


def _sentence(path: Path, graph: str, reason: str) -> str:
    return f"{path} is not a genzoo {graph}: its metadata {reason}; zoo export writes one"
