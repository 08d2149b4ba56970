"""The limit of the throughput: the work per image, and the machine's rate of matrix products."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from zoo.system.onnxruntime import missing, open_session
from zoo_onnx.bench import backends

if TYPE_CHECKING:
    from zoo.run import Run
    from zoo.specs import Graph

SIZES = (512, 1024, 2048)
"""Rows of the square matrices that are multiplied."""

CUDA_SIZES = (2048, 4096, 8192)
"""The same on a GPU, where smaller products take no longer than their launch."""

MIN_TRIES, MIN_SECONDS = 3, 0.3
"""Minimum number and time of products per size. The fastest counts: on a shared machine that is one
of the small ones, which fit between the work of others."""


@dataclass(frozen=True)
class Product:
    """A product of two float32 matrices of ``size`` rows by the library ``by``; ``seconds`` of its
    fastest call."""

    size: int
    by: str
    call: Callable[[], object]
    seconds: float

    @property
    def multiply_adds(self) -> int:
        return self.size**3

    @property
    def rate(self) -> float:
        """Operations per second, two per multiply-add."""
        return 2 * self.multiply_adds / self.seconds


def multiply_adds(run: Run, graph: Graph) -> int:
    """Multiply-adds per image: those of matrix products and convolutions in ``graph``, the frozen
    sampler, without what is computed once per batch."""
    return (_operations(run, graph, 2) - _operations(run, graph, 1)) // 2


def fastest_product(device: torch.device) -> Product:
    """The product of the highest rate by torch or, on the CPU, onnxruntime."""
    products = []
    for size in CUDA_SIZES if device.type == "cuda" else SIZES:
        for by, call in _products(size, device):
            call()
            products.append(Product(size, by, call, _fastest(call)))
    return max(products, key=lambda product: product.rate)


def _operations(run: Run, graph: Graph, size: int) -> int:
    batch = backends.batch_of(run, size)
    inputs = {"z": batch.z, "temperature": np.float32(run.temperature), "label": batch.labels}
    feeds = {name: torch.as_tensor(inputs[name]).to(run.device) for name in graph.inputs}
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        graph.module(**feeds)
    return counter.get_total_flops()


def _products(size: int, device: torch.device) -> Iterator[tuple[str, Callable[[], object]]]:
    left, right = np.random.default_rng(0).standard_normal((2, size, size), np.float32)
    a, b = (torch.from_numpy(matrix).to(device) for matrix in (left, right))
    if device.type == "cuda":

        def on_cuda() -> None:
            torch.mm(a, b)
            torch.cuda.synchronize(device)

        def in_tf32() -> None:  # cuDNN's convolutions use it by default
            with tf32():
                on_cuda()

        yield "torch", on_cuda
        yield "torch, TF32", in_tf32
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
def tf32() -> Iterator[None]:
    """Products of float32 matrices on CUDA use TF32 inside."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _fastest(call: Callable[[], object]) -> float:
    times: list[float] = []
    while len(times) < MIN_TRIES or sum(times) < MIN_SECONDS:
        times.append(_seconds(call))
    return min(times)


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
