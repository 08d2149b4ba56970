"""Inception v3, the feature network of FID in papers, from torch-fidelity."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.errors import ZooError
from zoo.evaluation.features import FeatureNetwork
from zoo.sampling.seeding import preserved

DIMENSIONS = 2048


def inception_features(device: torch.device) -> FeatureNetwork:
    """Returns the 2,048 features before the last layer of the Inception v3 of 2015-12-05.

    torch-fidelity (the extra ``fid``) downloads the weights and resizes uint8 images of three
    channels to 299x299 as TensorFlow 1 did. Raises ZooError if torch-fidelity is not installed or
    the weights cannot be downloaded.
    """
    from torchmetrics.image.fid import NoTrainInceptionV3

    try:
        with preserved():  # its layers initialize themselves before the weights are loaded
            network = NoTrainInceptionV3("inception-v3-compat", [str(DIMENSIONS)])
    except ModuleNotFoundError:
        raise ZooError(
            "--features inception requires torch-fidelity, which is not installed: pip install "
            '"genzoo[fid]", or pass an .onnx file'
        ) from None
    except OSError as error:
        raise ZooError(f"the weights of Inception cannot be downloaded: {error}") from error
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
        "8-bit images resized to 299x299 by the bilinear interpolation of TensorFlow 1",
        extract,
    )
