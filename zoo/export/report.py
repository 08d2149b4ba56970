"""The parity report beside an exported graph. Imports no torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError

from zoo.errors import ZooError
from zoo.export.fields import Few, Name, Record, Text, reason_of
from zoo.export.metadata import Description
from zoo.system.files import read_bounded, sha256_of


class OutputParity(Record):
    """An output's largest error against torch in float64, its tolerance, and the figures of each
    batch size."""

    error: float = Field(alias="max_abs_error_float64")
    tolerance: float
    batches: Few[Any]


class RoundTrip(Record):
    """The largest error of images encoded and sampled again."""

    error: float = Field(alias="max_abs_error")


class ParityReport(Description):
    """The parity report beside an ONNX file."""

    sha256: Name
    onnxruntime_version: Name
    inputs: Few[Text]
    outputs: Few[OutputParity]
    round_trip: RoundTrip | None = None

    @classmethod
    def read(cls, path: Path) -> Self:
        """Reads ``path``. Raises ZooError where it is not a parity report of genzoo's."""
        try:
            return cls.model_validate(json.loads(read_bounded(path)))
        except ValidationError as error:
            reason = f"its values {reason_of(error)}"
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
