"""Sessions of onnxruntime: providers and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx_bytes
import pytest

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from zoo.errors import ZooError
from zoo.system.onnxruntime import open_session

pytest_plugins = ["providers"]

CPU = "CPUExecutionProvider"
MODEL = onnx_bytes.flatten_graph(["n", 1, 8, 8])


def test_cuda_is_opened_without_tf32(providers: list[Any]) -> None:
    open_session(MODEL)
    assert providers == [("CUDAExecutionProvider", {"use_tf32": "0"}), CPU]
    open_session(MODEL, "cpu")
    assert providers == [CPU]


def test_cuda_that_does_not_start_is_an_error(providers: list[Any], tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(MODEL)
    with pytest.raises(ZooError, match="could not start CUDA"):
        open_session(tmp_path / "x.onnx", "cuda")
    assert open_session(tmp_path / "x.onnx", "auto").get_providers() == [CPU]
