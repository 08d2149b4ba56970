"""The Inception network that papers count FID by, through torch-fidelity."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.errors import ZooError
from zoo.evaluation.features import FeatureNetwork

DIMENSIONS = 2048


def inception_features(device: torch.device) -> FeatureNetwork:
    """The 2,048 features before the last layer of the Inception v3 of 2015-12-05, of torch-fidelity
    (the extra ``fid``), which fetches the weights and resizes pictures to 299 pixels a side as
    TensorFlow 1 did, from uint8 of three channels.

    Raises ZooError where torch-fidelity is not installed, or its weights cannot be had.
    """
    from torchmetrics.image.fid import NoTrainInceptionV3

    try:
        network = NoTrainInceptionV3("inception-v3-compat", [str(DIMENSIONS)])
    except ModuleNotFoundError:
        raise ZooError(
            "--features inception needs torch-fidelity, which is not installed: pip install "
            '"genzoo[fid]", or give an .onnx file'
        ) from None
    except OSError as error:
        raise ZooError(f"the weights of Inception cannot be fetched: {error}") from error
    network.to(device).eval()

    @torch.inference_mode()
    def extract(images: Tensor) -> Tensor:
        levels = (images.clamp(0, 1) * 255).round().to(torch.uint8)
        features: Tensor = network(levels.expand(-1, 3, -1, -1).to(device))
        return features

    name = "inception-v3-compat"
    return FeatureNetwork(
        name,
        "",
        f"in the {DIMENSIONS:,} features of Inception v3 (2015-12-05, torch-fidelity, {name}) of "
        "pictures of 8 bits that it resizes to 299x299 by bilinear interpolation as TensorFlow 1 "
        "did",
        extract,
    )
