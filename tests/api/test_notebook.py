"""Models and images as a notebook shows them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import zoo


def test_models_and_runs_describe_themselves_in_one_line(trained: zoo.Run) -> None:
    count = sum(parameter.numel() for parameter in trained.network.parameters())
    description = f"glow, 1x8x8, 4 bits, {count:,} parameters, cpu"
    assert repr(trained) == f"Run({str(trained.path)!r}, {description})"
    model = zoo.Model(
        trained.spec, trained.image_spec, trained.network, trained.device, trained.owner
    )
    assert repr(model) == f"Model({description})"


def test_an_exported_model_describes_itself_without_opening_a_graph(exported) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    from zoo_onnx import OnnxModel

    folder = exported("nice").path / "onnx"
    assert repr(OnnxModel(folder)) == f"OnnxModel({str(folder)!r})"
    assert repr(OnnxModel(Path("a\nb"))) == "OnnxModel('a\\nb')"
    assert repr(OnnxModel.load(folder, "cpu")) == f"OnnxModel({str(folder)!r}, nice, 1x8x8, cpu)"


@pytest.mark.parametrize("channels", [1, 3])
def test_a_grid_of_arrays_and_tensors_is_an_image(channels: int) -> None:
    values = np.linspace(0, 1, 5 * channels * 64, dtype=np.float32).reshape(5, channels, 8, 8)
    grid = zoo.grid(values)
    assert isinstance(grid, Image.Image)
    assert grid.mode == ("L" if channels == 1 else "RGB")
    tensor = torch.from_numpy(values)
    assert zoo.grid(tensor.requires_grad_()) == grid
    assert zoo.grid(tensor.double()) == grid
    assert zoo.grid(values, columns=5).width > grid.width
    assert zoo.grid(tensor.bfloat16()).size == grid.size


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((1, 8, 8), np.float32), r"images \[N, C, H, W\] .* got \[1, 8, 8\]"),
        (np.zeros((0, 1, 8, 8), np.float32), r"got \[0, 1, 8, 8\]"),
        (np.zeros((2, 8, 8, 3), np.float32), r"got \[2, 8, 8, 3\]"),
        (np.zeros((2, 1, 8, 8), np.uint8), "got uint8"),
        (torch.zeros(2, 1, 8, 8, dtype=torch.int64), "got int64"),
        ("images", r"got \[\]"),
    ],
)
def test_a_grid_of_anything_else_is_refused(images: object, message: str) -> None:
    with pytest.raises(zoo.UsageError, match=message):
        zoo.grid(images)
    with pytest.raises(zoo.UsageError, match="columns must be at least 1"):
        zoo.grid(np.zeros((2, 1, 8, 8), np.float32), columns=0)
