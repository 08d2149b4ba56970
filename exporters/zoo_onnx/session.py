"""Session of an exported graph in onnxruntime: numpy arrays in and out. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.system.onnx_files.file import OnnxFile
from zoo.system.onnx_files.interface import Interface
from zoo.system.onnxruntime import CUDA, open_session, run_errors

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_PIXELS = 2**16
"""Maximum pixels per batch, which bounds the memory."""

_DTYPES = {1: np.float32, 7: np.int64, 11: np.float64}
"""Types of inputs and outputs by their numbers in ``onnx.TensorProto``."""


class Session:
    """The graph of an ONNX file in onnxruntime; several threads may call it at once.

    ``provider`` and ``threads`` are those of :func:`zoo.system.onnxruntime.open_session`.
    ``inputs`` and ``outputs`` are the sizes of a row of each, ``batch`` is the number of rows per
    batch. Raises ZooError for a graph that cannot run within
    :data:`zoo.system.onnx_files.memory.MAX_MEMORY`.
    """

    def __init__(self, path: Path, provider: str = "auto", threads: int | None = None) -> None:
        file = OnnxFile.read(path)
        self.path, self.properties = path, file.properties
        found = Interface.of(file, _batch(Interface.of(file, 1)))
        self.batch, self.inputs, self.outputs = found.batch, found.inputs, found.outputs
        self._dtypes = {}
        for name in (*self.inputs, *self.outputs):
            if (kind := found.values[name].kind) not in _DTYPES:
                raise file.error(f"has {name!r:.80} of another type than float32, float64 or int64")
            self._dtypes[name] = _DTYPES[kind]
        self._session = open_session(path, provider, threads)

    @property
    def device(self) -> str:
        """``"cuda"`` or ``"cpu"``."""
        return "cuda" if self._session.get_providers()[0] == CUDA else "cpu"

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Returns the outputs by name, for any number of rows.

        Scalar inputs go to every batch; inputs that the graph does not have are ignored. Outputs
        are written in place, one batch at a time. Raises ZooError if onnxruntime fails.
        """
        rows = next(len(value) for value in inputs.values() if value.ndim)
        outputs = {
            name: np.empty((rows, *shape), self._dtypes[name])
            for name, shape in self.outputs.items()
        }
        for first in range(0, rows, self.batch):
            batch = slice(first, first + self.batch)
            arrays = {  # kept until the run has ended
                name: np.require(value[batch] if value.ndim else value, self._dtypes[name], "C")
                for name, value in inputs.items()
                if name in self.inputs
            }
            with run_errors(self.path):
                binding = self._session.io_binding()
                for name, value in arrays.items():
                    binding.bind_cpu_input(name, value)
                for name, output in outputs.items():
                    view = output[batch]
                    binding.bind_output(name, "cpu", 0, view.dtype, view.shape, view.ctypes.data)
                self._session.run_with_iobinding(binding)
        return outputs


def _batch(row: Interface) -> int:
    """Rows per batch."""
    images = [sizes for sizes in (*row.inputs.values(), *row.outputs.values()) if len(sizes) == 3]
    pixels = max((height * width for _, height, width in images), default=1024)
    return max(1, MAX_PIXELS // max(pixels, 1) // 4 * 4)
