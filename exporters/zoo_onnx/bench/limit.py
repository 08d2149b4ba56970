"""What bounds the speed: the work of a picture, and the rate of the machine."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from zoo_onnx.bench import backends
from zoo_onnx.session import missing, open_session

if TYPE_CHECKING:
    from zoo.run import Run
    from zoo.specs import Graph

SIZES = (512, 1024, 2048)
"""Rows of the square matrices whose product is timed."""

CUDA_SIZES = (2048, 4096, 8192)
"""The same on a GPU, where a product of fewer takes no longer than its start."""

TRIES, SECONDS = 3, 0.3
"""So many products of each at least, for so long. The fastest counts: on a machine where others are
at work too, it is one of the small ones, which fit in between."""


@dataclass(frozen=True)
class Rate:
    """Operations a second, two for each multiply-add, in the product of two float32 matrices of
    ``size`` rows; the best of all that was tried was ``by``."""

    flops: float
    size: int
    by: str


def multiply_adds(run: Run, graph: Graph) -> int:
    """Multiply-adds of one picture more: those of matrix products and convolutions in ``graph``,
    the frozen sampler, without what is computed once a batch."""
    return (_operations(run, graph, 2) - _operations(run, graph, 1)) // 2


def matrix_rate(device: torch.device) -> Rate:
    """The highest rate that torch, and on the CPU onnxruntime, reaches on ``device``."""
    found = []
    for size in CUDA_SIZES if device.type == "cuda" else SIZES:
        for by, product in _products(size, device):
            product()
            found.append(Rate(2 * size**3 / _fastest(product), size, by))
    return max(found, key=lambda rate: rate.flops)


def _operations(run: Run, graph: Graph, size: int) -> int:
    batch = backends.batch_of(run, size)
    given = {"z": batch.z, "temperature": np.float32(run.spec.temperature), "label": batch.labels}
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        graph.module(**{name: torch.as_tensor(given[name]).to(run.device) for name in graph.inputs})
    return counter.get_total_flops()


def _products(size: int, device: torch.device) -> Iterator[tuple[str, Callable[[], object]]]:
    left, right = np.random.default_rng(0).standard_normal((2, size, size), np.float32)
    a, b = (torch.from_numpy(matrix).to(device) for matrix in (left, right))
    if device.type == "cuda":

        def on_cuda() -> None:
            torch.mm(a, b)
            torch.cuda.synchronize(device)

        yield "torch", on_cuda
        with _tensor_floats():  # which its convolutions take unasked
            yield "torch, TF32", on_cuda
        return
    yield "torch", lambda: torch.mm(a, b)
    if missing() is None:
        session = open_session(_matmul(size), "cpu", torch.get_num_threads())
        yield "onnxruntime", lambda: session.run(None, {"a": left, "b": right})


def _matmul(size: int) -> bytes:
    from onnx import TensorProto, helper

    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [size] * 2) for name in "ab"]
    output = helper.make_tensor_value_info("c", TensorProto.FLOAT, [size] * 2)
    product = helper.make_node("MatMul", ["a", "b"], ["c"])
    graph = helper.make_graph([product], "product", inputs, [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return model.SerializeToString()


@contextlib.contextmanager
def _tensor_floats() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _fastest(call: Callable[[], object]) -> float:
    tried: list[float] = []
    while len(tried) < TRIES or sum(tried) < SECONDS:
        tried.append(_seconds(call))
    return min(tried)


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
