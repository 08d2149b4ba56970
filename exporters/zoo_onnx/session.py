"""A graph in onnxruntime: on the provider that was asked for, arrays in and out. No torch."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from zoo.errors import UsageError, ZooError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Provider = Literal["auto", "cuda", "cpu"]

PIXELS = 2**16
"""How many pixels of pictures pass at a time, so that memory does not grow with their number."""

_DTYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(double)": np.float64}
_CUDA, _CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


class Session:
    """The graph of an ONNX file, ready to run; it may be called from several threads at once.

    ``provider`` is ``"cuda"``, which raises ZooError where onnxruntime cannot run there (left to
    itself it would take the CPU in silence), ``"cpu"``, or ``"auto"``: CUDA where it works.
    ``threads`` are those of the CPU, by default one for each core.
    """

    def __init__(self, path: Path, provider: str = "auto", threads: int | None = None) -> None:
        self.path = path
        self._session = open_session(path, provider, threads)
        self.facts: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        self.inputs = {one.name: list(one.shape) for one in self._session.get_inputs()}
        self.outputs = {one.name: list(one.shape) for one in self._session.get_outputs()}
        self._kinds = {
            one.name: _DTYPES[one.type]
            for one in (*self._session.get_inputs(), *self._session.get_outputs())
        }

    @property
    def provider(self) -> str:
        """Where it runs: ``"cuda"`` or ``"cpu"``."""
        return "cuda" if self._session.get_providers()[0] == _CUDA else "cpu"

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


def open_session(model: Path | bytes, provider: str = "auto", threads: int | None = None) -> Any:
    """onnxruntime's own session of a file, or of a model's bytes; as for :class:`Session`."""
    require_provider(provider)
    import onnxruntime

    wanted: list[Any] = [_CPU]
    if provider != "cpu" and _CUDA in onnxruntime.get_available_providers():
        # In TF32, onnxruntime's default, products keep 10 bits: a flow would be off by 1e-3.
        wanted = [(_CUDA, {"use_tf32": "0"}), _CPU]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # Its threads would wait for the next call by spinning, on cores that others want.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    if threads is not None:
        options.intra_op_num_threads = threads
    given = model if isinstance(model, bytes) else str(model)
    with _quietly(len(wanted) > 1):
        try:
            session = onnxruntime.InferenceSession(given, options, providers=wanted)
        except Exception as error:  # onnxruntime's own have no common base
            what = "the graph" if isinstance(model, bytes) else model
            said = next(iter(str(error).splitlines()), "")
            raise ZooError(f"{what} cannot be opened: {said}; export it again") from error
    if provider == "cuda" and session.get_providers()[0] != _CUDA:
        raise ZooError(
            "onnxruntime could not start CUDA here, which needs a GPU, CUDA 13 and cuDNN 9: see "
            "what zoo doctor says, or take the CPU"
        )
    return session


def require_provider(provider: str = "cpu") -> None:
    """Raise ZooError where onnxruntime is missing, or is built without ``provider``; UsageError for
    a provider that there is not."""
    if provider not in get_args(Provider):
        raise UsageError(f"there is no provider {provider!r}: take auto, cuda or cpu")
    if reason := missing():
        raise ZooError(reason)
    import onnxruntime

    if provider == "cuda" and _CUDA not in onnxruntime.get_available_providers():
        raise ZooError(
            "this onnxruntime has no CUDA: pip uninstall -y onnxruntime, then "
            'pip install "genzoo[gpu]"; or take the CPU'
        )


def missing() -> str | None:
    """Why nothing can be run, or None."""
    try:
        import onnxruntime  # noqa: F401
    except ImportError:
        return (
            "onnxruntime is missing, in which exported graphs run: "
            'pip install "genzoo[cpu]", or genzoo[gpu]'
        )
    return None


@contextlib.contextmanager
def _quietly(cuda: bool) -> Iterator[None]:
    """Inside, CUDA's libraries are loaded, and what onnxruntime says of a failure is not printed:
    whether CUDA was started is asked afterwards."""
    if not cuda:
        yield
        return
    import onnxruntime

    with contextlib.redirect_stdout(io.StringIO()):
        onnxruntime.preload_dlls()
    onnxruntime.set_default_logger_severity(4)
    try:
        yield
    finally:
        onnxruntime.set_default_logger_severity(2)
