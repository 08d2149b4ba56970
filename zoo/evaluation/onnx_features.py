"""Feature network from the user's ONNX file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from zoo.errors import UsageError
from zoo.evaluation.features import BATCH_SIZE, FeatureNetwork
from zoo.runs.folder import short_hash
from zoo.system.onnx_files.file import OnnxFile
from zoo.system.onnx_files.memory import largest_batch
from zoo.system.onnx_files.values import kind_name
from zoo.system.onnxruntime import open_session, run_errors

if TYPE_CHECKING:
    from onnx import ValueInfoProto

    from zoo.specs import ImageSpec

FLOAT, LEVELS = 1, 2
FLOATS = (FLOAT, 10, 11)
"""float32, uint8, and the floats, by their numbers in ``onnx.TensorProto``."""

MAX_FEATURES = 2**12
"""Maximum number of features, whose covariances are square matrices."""


def onnx_features(path: Path, image_spec: ImageSpec, device: torch.device) -> FeatureNetwork:
    """Returns the first output of an ONNX graph, flattened to ``[N, D]``, as features.

    Its single input is ``[N, 3, H, W]``, or ``[N, 1, H, W]`` for grayscale images: float32 in
    [0, 1], or uint8, 0 to 255. Grayscale images are repeated to three channels; all are resized to
    a fixed H and W by bilinear interpolation with antialiasing (torch's, without aligned corners)
    before rounding. Any other preprocessing belongs in the graph.

    Raises UsageError for a graph that does not take images; ZooError if onnxruntime is not
    installed, cannot read the file or would need more than
    :data:`zoo.system.onnx_files.memory.MAX_MEMORY`.
    """
    file = OnnxFile.read(path)
    pixels, channels, size, fixed = _image_input(file)
    in_levels = pixels.type.tensor_type.elem_type == LEVELS
    if channels < image_spec.channels:
        raise UsageError(f"--features {path}: takes grayscale images, but the run's are RGB")
    sides = [side or image_spec.size for side in size]
    resizing = "" if sides == [image_spec.size] * 2 else _resized(sides)

    def shapes(count: int) -> dict[str, tuple[int, ...]]:
        return {pixels.name: (fixed or count, channels, *sides)}

    maximum, values = largest_batch(file, shapes, BATCH_SIZE if fixed is None else 1)
    batch_size = fixed or maximum
    output = file.model.graph.output[0].name
    rows, *inner = values[output].shape or (0,)
    if rows != batch_size or values[output].kind not in FLOATS:
        raise UsageError(
            f"--features {path}: its first output must be floats [N, ...], a row for each image"
        )
    if not 1 <= (count := math.prod(inner)) <= MAX_FEATURES:
        raise UsageError(
            f"--features {path}: computes {count:,} features; it must be 1 to {MAX_FEATURES:,}"
        )
    provider = "auto" if device.type == "cuda" else "cpu"
    session = open_session(path, provider, torch.get_num_threads())

    def run(batch: Tensor) -> Tensor:
        with run_errors(path):
            (features,) = session.run([output], {pixels.name: batch.numpy()})
        return torch.from_numpy(features).reshape(len(features), -1)

    @torch.inference_mode()
    def extract_batch(images: Tensor) -> Tensor:
        images = images.float().cpu().expand(-1, channels, -1, -1)
        if resizing:
            images = interpolate(
                images, sides, mode="bilinear", antialias=True, align_corners=False
            )
        if in_levels:
            images = (images.clamp(0, 1) * 255).round().to(torch.uint8)
        images, count = images.contiguous(), len(images)
        if fixed is not None:
            images = torch.cat([images, images.new_zeros(fixed - count, *images.shape[1:])])
        return run(images)[:count]

    def extract(images: Tensor) -> Tensor:
        return torch.cat([extract_batch(part) for part in torch.split(images, batch_size)])

    name = f"{path.name} {short_hash(path)}"
    return FeatureNetwork(
        name,
        "",
        f"in the features of {path.name} (SHA-256 {short_hash(path)}…) of images as "
        f"{'uint8, 0 to 255' if in_levels else 'float32 in [0, 1]'}, "
        f"{channels} channel{'s' * (channels > 1)}{resizing}",
        extract,
    )


def _image_input(file: OnnxFile) -> tuple[ValueInfoProto, int, list[int], int | None]:
    """Returns the single input, its channels, its height and width, 0 where they are dynamic, and
    its batch size if that is fixed."""
    inputs = [(value, value.type.tensor_type) for value in file.inputs]
    for value, type in inputs[:1]:
        sizes = [size.dim_value for size in type.shape.dim]
        right = len(sizes) == 4 and sizes[1] in (1, 3) and min(sizes) >= 0
        if len(inputs) == 1 and right and type.elem_type in (FLOAT, LEVELS):
            return value, sizes[1], sizes[2:], sizes[0] or None
    described = ", ".join(
        f"tensor({kind_name(type.elem_type)}) {value.name:.80} "
        f"{[size.dim_value or size.dim_param for size in type.shape.dim[:8]]}"
        for value, type in inputs[:8]
    )
    raise UsageError(
        f"--features {file.path}: must have one input, float32 or uint8 [N, 3, H, W], got "
        f"{described or 'none'}"
    )


def _resized(size: list[int]) -> str:
    height, width = size
    return f", resized to {height}x{width} by bilinear interpolation with antialiasing"
