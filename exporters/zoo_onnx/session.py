"""A graph in onnxruntime: on the provider that was asked for, arrays in and out. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.system.onnxruntime import CUDA, open_session

if TYPE_CHECKING:
    from numpy.typing import NDArray

PIXELS = 2**16
"""How many pixels of pictures pass at a time, so that memory does not grow with their number."""

_DTYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(double)": np.float64}


class Session:
    """The graph of an ONNX file, ready to run; it may be called from several threads at once.

    ``provider`` and ``threads`` are those of :func:`zoo.system.onnxruntime.open_session`.
    """

    def __init__(self, path: Path, provider: str = "auto", threads: int | None = None) -> None:
        self.path = path
        self._session = open_session(path, provider, threads)
        self.properties: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        self.inputs = {one.name: list(one.shape) for one in self._session.get_inputs()}
        self.outputs = {one.name: list(one.shape) for one in self._session.get_outputs()}
        self._kinds = {
            one.name: _DTYPES[one.type]
            for one in (*self._session.get_inputs(), *self._session.get_outputs())
        }

    @property
    def provider(self) -> str:
        """Where it runs: ``"cuda"`` or ``"cpu"``."""
        return "cuda" if self._session.get_providers()[0] == CUDA else "cpu"

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """The outputs by name, of any number of rows; inputs without dimensions go to every batch,
        and those that the graph has no use for, and so has not, nowhere.

        The rows pass a batch at a time, and what comes out is written where it stays.
        """
        rows = next(len(value) for value in inputs.values() if value.ndim)
        found = {
            name: np.empty((rows, *shape[1:]), self._kinds[name])
            for name, shape in self.outputs.items()
        }
        for first in range(0, rows, self.batch):
            part = slice(first, first + self.batch)
            binding = self._session.io_binding()
            given = {
                name: np.require(value[part] if value.ndim else value, self._kinds[name], "C")
                for name, value in inputs.items()
                if name in self.inputs
            }
            for name, value in given.items():
                binding.bind_cpu_input(name, value)
            for name, whole in found.items():
                view = whole[part]
                binding.bind_output(name, "cpu", 0, view.dtype, view.shape, view.ctypes.data)
            self._session.run_with_iobinding(binding)
        return found

    @property
    def batch(self) -> int:
        """Rows that pass at a time."""
        pictures = [s for s in (*self.inputs.values(), *self.outputs.values()) if len(s) == 4]
        pixels = max((height * width for _, _, height, width in pictures), default=1024)
        return max(1, PIXELS // pixels // 4 * 4)
