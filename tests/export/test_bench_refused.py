"""Errors of ``zoo bench``: wrong images, wrong arguments, missing runtimes."""

from __future__ import annotations

import dataclasses
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bench_runs import QUICK, TWO

import zoo
from zoo.errors import UsageError, ZooError
from zoo.run import Run

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from zoo_onnx.bench import backends, limit, measure, speed  # noqa: E402
from zoo_onnx.bench.command import parse_sizes  # noqa: E402

pytest_plugins = ["bench_runs"]
pytestmark = pytest.mark.usefixtures("small_matrices")


def test_wrong_images_are_not_timed(
    dcgan: Run, commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(shutil.copytree(dcgan.path, tmp_path / "run"))
    other = zoo.load(path, "cpu")
    with torch.no_grad():
        for parameter in other.network.parameters():
            parameter.add_(0.3)
    other.export(graph="sampler")
    monkeypatch.setattr(measure, "alternate", None)  # nothing may be timed
    sentence = commands.fails(1, "bench", path, *QUICK, *TWO)
    assert sentence.startswith("the images of onnxruntime differ from the network's by 0.")
    assert "zoo export" in sentence


def test_wrong_images_of_the_compiler_are_an_error(
    dcgan: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(run: Run, graph: Any) -> Any:
        return lambda batch: backends.eager(run)(batch) + np.float32(0.02)

    monkeypatch.setattr(backends, "compiled", wrong)
    with pytest.raises(ZooError, match=r"^the images of torch.compile differ .* by 0\.02 at"):
        speed.bench(dcgan, ["torch", "compile"], [2], 0.01)


@pytest.mark.parametrize("text", ["0", "1,-4", "four", "1,,4", "", "1.5", "65537", "²"])
def test_invalid_batch_sizes_are_refused(dcgan: Run, commands, text: str) -> None:
    sentence = commands.fails(2, "bench", dcgan.path, "--batch-sizes", text)
    assert f"--batch-sizes {text}: ".strip() in sentence
    with pytest.raises(UsageError):
        parse_sizes(text)


def test_batch_sizes_are_sorted_and_unique() -> None:
    assert parse_sizes("64, 1,4,64") == [1, 4, 64]


def test_wrong_arguments_are_refused_before_anything_is_measured(
    dcgan: Run, commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limit, "fastest_product", None)
    assert "run folder" in commands.fails(2, "bench", tmp_path / "none")
    for name in ("table.txt", "plot"):
        sentence = commands.fails(2, "bench", dcgan.path, "-o", tmp_path / name)
        assert "ends in .png" in sentence
    assert "cpu and cuda" in commands.fails(2, "bench", dcgan.path, "--device", "mps")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_missing_cuda_is_an_error(dcgan: Run, commands) -> None:
    assert "--device cuda: " in commands.fails(1, "bench", dcgan.path, "--device", "cuda")


def test_a_missing_onnxruntime_is_an_error(dcgan: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    on_cuda = dataclasses.replace(dcgan, device=torch.device("cuda"))
    with pytest.raises(ZooError, match="this onnxruntime has no CUDA"):
        speed.bench(on_cuda, ["torch", "onnx"], [1], 0.01)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ZooError, match=r'pip install "genzoo\[cpu\]"'):
        speed.bench(dcgan, ["onnx"], [1], 0.01)
    (result,) = speed.bench(dcgan, ["torch"], [1], 0.01).speeds
    assert result.timing
