"""A feature network of the user's, as an ONNX file."""

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


def onnx_features(path: Path, image: ImageSpec, device: torch.device) -> FeatureNetwork:
    """The first output of an ONNX graph, flattened to ``[N, D]``.

    Its one input is ``[N, 3, H, W]``, or ``[N, 1, H, W]`` for grey pictures: float32 in [0, 1], or
    uint8, 0 to 255. Grey pictures are repeated in three channels; all are brought to H by W, where
    the graph states them, by bilinear interpolation with antialiasing (torch's, whose pixels are
    squares and not points), before anything is rounded. Any other scaling belongs into the graph.

    Raises UsageError for a file that is not there and for a graph that cannot take pictures;
    ZooError where onnxruntime is missing or cannot read it.
    """
    if not path.is_file():
        raise UsageError(f"--features {path}: there is no such file")
    provider = "auto" if device.type == "cuda" else "cpu"
    session = open_session(path, provider, torch.get_num_threads())
    given, *others = session.get_inputs()
    shape = list(given.shape)
    if others or given.type not in (FLOAT, LEVELS) or len(shape) != 4 or shape[1] not in (1, 3):
        raise UsageError(
            f"--features {path}: a feature network has one input, float32 or uint8 [N, 3, H, W], "
            f"and this has {_described(session)}"
        )
    channels = shape[1]
    if channels < image.channels:
        raise UsageError(f"--features {path}: it takes grey pictures, and the run's have colour")
    # A dimension that the graph leaves open has a name, or None.
    size = [side if isinstance(side, int) else image.size for side in shape[2:]]
    fixed = shape[0] if isinstance(shape[0], int) else None
    brought = "" if size == [image.size] * 2 else _resized(size)
    output = session.get_outputs()[0].name

    def run(pixels: Tensor) -> Tensor:
        return torch.from_numpy(session.run([output], {given.name: pixels.numpy()})[0]).flatten(1)

    @torch.inference_mode()
    def extract(images: Tensor) -> Tensor:
        ready = images.float().cpu().expand(-1, channels, -1, -1)
        if brought:
            ready = interpolate(ready, size, mode="bilinear", antialias=True, align_corners=False)
        if given.type == LEVELS:
            ready = (ready.clamp(0, 1) * 255).round().to(torch.uint8)
        ready = ready.contiguous()
        if fixed is None:
            return run(ready)
        count = len(ready)
        filled = torch.cat([ready, ready.new_zeros(-count % fixed, *ready.shape[1:])])
        return torch.cat([run(part) for part in torch.split(filled, fixed)])[:count]

    name = f"{path.name} {short_hash(path)}"
    return FeatureNetwork(
        name,
        "",
        f"in the features of {path.name} (SHA-256 {short_hash(path)}…) of pictures as "
        f"{'uint8, 0 to 255' if given.type == LEVELS else 'float32 in [0, 1]'}, "
        f"{channels} channel{'s' * (channels > 1)}{brought}",
        extract,
    )


def _described(session: Any) -> str:
    return ", ".join(f"{one.type} {one.name} {list(one.shape)}" for one in session.get_inputs())


def _resized(size: list[int]) -> str:
    height, width = size
    return f", brought to {height}x{width} by bilinear interpolation with antialiasing"
