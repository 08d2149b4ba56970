"""Feature extractors for FID, KID, precision and recall."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import UsageError

if TYPE_CHECKING:
    import torch

    from zoo.data.dataset import Dataset
    from zoo.evaluation.features import FeatureNetwork
    from zoo.system.progress import Progress

INCEPTION = "inception"


def check_features(source: str | Path | None) -> None:
    """Raises UsageError for a ``source`` of features that :func:`feature_network` cannot take."""
    if source is None or str(source) == INCEPTION:
        return
    path = Path(source)
    if path.suffix.lower() != ".onnx":
        raise UsageError(
            f"--features {source}: must be an .onnx file or {INCEPTION}; pickled networks can run "
            "code and are not loaded"
        )
    if not path.is_file():
        raise UsageError(f"--features {path}: there is no such file")


def feature_network(
    device: torch.device, data: Dataset, source: str | Path | None, progress: Progress
) -> FeatureNetwork:
    """Returns the feature network of ``source``: the path of an ``.onnx`` file, ``"inception"``, or
    None for a classifier of the data, which is trained on first use.

    Raises UsageError for any other source, and ZooError for a file that cannot be read, a package
    that is not installed and data without labels.
    """
    check_features(source)
    if source is None:
        from zoo.evaluation.classifier import classifier_features

        return classifier_features(data, device, progress)
    if str(source) == INCEPTION:
        from zoo.evaluation.inception import inception_features

        return inception_features(device)
    from zoo.evaluation.onnx_features import onnx_features

    return onnx_features(Path(source), data.image_spec, device)
