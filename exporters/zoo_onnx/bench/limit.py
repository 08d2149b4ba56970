"""What bounds the speed: the work of a picture, and a matrix product that shows the machine's."""

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
"""Rows of the square matrices whose product is timed."""

CUDA_SIZES = (2048, 4096, 8192)
"""The same on a GPU, where a product of fewer takes no longer than its start."""

TRIES, SECONDS = 3, 0.3
"""So many products of each at least, for so long. The fastest counts: on a machine where others are
at work too, it is one of the small ones, which fit in between."""


@dataclass(frozen=True)
class Product:
    """A product of two float32 matrices of ``size`` rows, computed ``by`` a library, and the
    ``seconds`` of its fastest call."""

    size: int
    by: str
    call: Callable[[], object]
    seconds: float

    @property
    def multiply_adds(self) -> int:
        return self.size**3

    @property
    def rate(self) -> float:
        """Operations a second, two for each multiply-add."""
        return 2 * self.multiply_adds / self.seconds


def multiply_adds(run: Run, graph: Graph) -> int:
    """Multiply-adds of one picture more: those of matrix products and convolutions in ``graph``,
    the frozen sampler, without what is computed once a batch."""
    return (_operations(run, graph, 2) - _operations(run, graph, 1)) // 2


def fastest_product(device: torch.device) -> Product:
    """That of the highest rate among torch's and, on the CPU, onnxruntime's on ``device``."""
    found = []
    for size in CUDA_SIZES if device.type == "cuda" else SIZES:
        for by, call in _products(size, device):
            call()
            found.append(Product(size, by, call, _fastest(call)))
    return max(found, key=lambda product: product.rate)


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

        def in_tensor_floats() -> None:  # which its convolutions take unasked
            with _tensor_floats():
                on_cuda()

        yield "torch", on_cuda
        yield "torch, TF32", in_tensor_floats
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
