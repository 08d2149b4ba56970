"""Feature network from the user's ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from zoo.errors import UsageError
from zoo.evaluation.features import FeatureNetwork
from zoo.runs.folder import short_hash
from zoo.system.onnxruntime import open_session

if TYPE_CHECKING:
    from zoo.specs import ImageSpec

FLOAT, LEVELS = "tensor(float)", "tensor(uint8)"


def onnx_features(path: Path, image_spec: ImageSpec, device: torch.device) -> FeatureNetwork:
    """Returns the first output of an ONNX graph, flattened to ``[N, D]``, as features.

    Its single input is ``[N, 3, H, W]``, or ``[N, 1, H, W]`` for grayscale images: float32 in
    [0, 1], or uint8, 0 to 255. Grayscale images are repeated to three channels; all are resized to
    a fixed H and W by bilinear interpolation with antialiasing (torch's, without aligned corners)
    before rounding. Any other preprocessing belongs in the graph.

    Raises UsageError for a graph that does not take images; ZooError if onnxruntime is not
    installed or cannot read the file.
    """
    provider = "auto" if device.type == "cuda" else "cpu"
    session = open_session(path, provider, torch.get_num_threads())
    pixels, *others = session.get_inputs()
    shape = list(pixels.shape)
    if others or pixels.type not in (FLOAT, LEVELS) or len(shape) != 4 or shape[1] not in (1, 3):
        raise UsageError(
            f"--features {path}: must have one input, float32 or uint8 [N, 3, H, W], got "
            f"{_described(session)}"
        )
    channels = shape[1]
    if channels < image_spec.channels:
        raise UsageError(f"--features {path}: takes grayscale images, but the run's are RGB")
    # A dynamic dimension has a name or is None.
    size = [side if isinstance(side, int) else image_spec.size for side in shape[2:]]
    batch_size = shape[0] if isinstance(shape[0], int) else None
    resizing = "" if size == [image_spec.size] * 2 else _resized(size)
    output = session.get_outputs()[0].name

    def run(batch: Tensor) -> Tensor:
        return torch.from_numpy(session.run([output], {pixels.name: batch.numpy()})[0]).flatten(1)

    @torch.inference_mode()
    def extract(images: Tensor) -> Tensor:
        images = images.float().cpu().expand(-1, channels, -1, -1)
        if resizing:
            images = interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)
        if pixels.type == LEVELS:
            images = (images.clamp(0, 1) * 255).round().to(torch.uint8)
        images = images.contiguous()
        if batch_size is None:
            return run(images)
        count = len(images)
        padded = torch.cat([images, images.new_zeros(-count % batch_size, *images.shape[1:])])
        return torch.cat([run(part) for part in torch.split(padded, batch_size)])[:count]

    name = f"{path.name} {short_hash(path)}"
    return FeatureNetwork(
        name,
        "",
        f"in the features of {path.name} (SHA-256 {short_hash(path)}…) of images as "
        f"{'uint8, 0 to 255' if pixels.type == LEVELS else 'float32 in [0, 1]'}, "
        f"{channels} channel{'s' * (channels > 1)}{resizing}",
        extract,
    )


def _described(session: Any) -> str:
    return ", ".join(f"{node.type} {node.name} {list(node.shape)}" for node in session.get_inputs())


def _resized(size: list[int]) -> str:
    height, width = size
    return f", resized to {height}x{width} by bilinear interpolation with antialiasing"
