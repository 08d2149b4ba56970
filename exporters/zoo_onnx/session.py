"""Session of an exported graph in onnxruntime: numpy arrays in and out. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.system.onnxruntime import CUDA, open_session

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_PIXELS = 2**16
"""Maximum pixels per batch, which bounds the memory."""

_DTYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(double)": np.float64}


class Session:
    """The graph of an ONNX file in onnxruntime; several threads may call it at once.

    ``provider`` and ``threads`` are those of :func:`zoo.system.onnxruntime.open_session`.
    """

    def __init__(self, path: Path, provider: str = "auto", threads: int | None = None) -> None:
        self.path = path
        self._session = open_session(path, provider, threads)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        self.properties: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        self.inputs = {value.name: list(value.shape) for value in inputs}
        self.outputs = {value.name: list(value.shape) for value in outputs}
        self._dtypes = {value.name: _DTYPES[value.type] for value in (*inputs, *outputs)}

    @property
    def device(self) -> str:
        """``"cuda"`` or ``"cpu"``."""
        return "cuda" if self._session.get_providers()[0] == CUDA else "cpu"

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Returns the outputs by name, for any number of rows.

        Scalar inputs go to every batch; inputs that the graph does not have are ignored. Outputs
        are written in place, one batch at a time.
        """
        rows = next(len(value) for value in inputs.values() if value.ndim)
        outputs = {
            name: np.empty((rows, *shape[1:]), self._dtypes[name])
            for name, shape in self.outputs.items()
        }
        for first in range(0, rows, self.batch):
            batch = slice(first, first + self.batch)
            binding = self._session.io_binding()
            arrays = {  # kept until the run has ended
                name: np.require(value[batch] if value.ndim else value, self._dtypes[name], "C")
                for name, value in inputs.items()
                if name in self.inputs
            }
            for name, value in arrays.items():
                binding.bind_cpu_input(name, value)
            for name, output in outputs.items():
                view = output[batch]
                binding.bind_output(name, "cpu", 0, view.dtype, view.shape, view.ctypes.data)
            self._session.run_with_iobinding(binding)
        return outputs

    @property
    def batch(self) -> int:
        """Rows per batch."""
        images = [s for s in (*self.inputs.values(), *self.outputs.values()) if len(s) == 4]
        pixels = max((height * width for _, _, height, width in images), default=1024)
        return max(1, MAX_PIXELS // pixels // 4 * 4)
