"""Sessions of onnxruntime: providers checked, TF32 off, threads that do not spin."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args

from zoo.errors import UsageError, ZooError, first_line

Provider = Literal["auto", "cuda", "cpu"]

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


def open_session(model: Path | bytes, provider: str = "auto", threads: int | None = None) -> Any:
    """Returns an ``onnxruntime.InferenceSession`` of a file, or of a model's bytes.

    ``provider`` is ``"cuda"``, which raises ZooError where onnxruntime cannot run there (left to
    itself it falls back to the CPU silently), ``"cpu"``, or ``"auto"``: CUDA where it works.
    ``threads`` are those of the CPU, by default one per core. Raises ZooError for a model that
    onnxruntime cannot open.
    """
    require_provider(provider)
    import onnxruntime

    providers: list[Any] = [CPU]
    if provider != "cpu" and CUDA in onnxruntime.get_available_providers():
        # In TF32, onnxruntime's default, products keep 10 bits: a flow would be off by 1e-3.
        providers = [(CUDA, {"use_tf32": "0"}), CPU]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # Idle threads would spin until the next call, on cores that others need.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    if threads is not None:
        options.intra_op_num_threads = threads
    with _quiet_cuda() if len(providers) > 1 else contextlib.nullcontext():
        try:
            session = onnxruntime.InferenceSession(
                model if isinstance(model, bytes) else str(model), options, providers=providers
            )
        except Exception as error:  # onnxruntime's exceptions have no common base
            name = "the graph" if isinstance(model, bytes) else model
            raise ZooError(
                f"{name} cannot be opened by onnxruntime: {first_line(error)}; export it again"
            ) from error
    if provider == "cuda" and session.get_providers()[0] != CUDA:
        raise ZooError(
            "onnxruntime could not start CUDA, which needs a GPU, CUDA 13 and cuDNN 9: run zoo "
            "doctor, or use the CPU"
        )
    return session


@contextlib.contextmanager
def run_errors(path: Path) -> Iterator[None]:
    """Turns an error of onnxruntime inside into a ZooError that names the graph ``path``."""
    try:
        yield
    except Exception as error:  # onnxruntime's exceptions have no common base
        raise ZooError(
            f"{path} fails in onnxruntime: {first_line(error):.300}; export it again"
        ) from error


def require_provider(provider: str = "cpu") -> None:
    """Raises ZooError where onnxruntime is missing or built without ``provider``, UsageError for an
    unknown provider."""
    if provider not in get_args(Provider):
        raise UsageError(f"there is no provider {provider!r}: use auto, cuda or cpu")
    if reason := missing():
        raise ZooError(reason)
    import onnxruntime

    if provider == "cuda" and CUDA not in onnxruntime.get_available_providers():
        raise ZooError(
            "this onnxruntime has no CUDA: pip uninstall -y onnxruntime, then "
            'pip install "genzoo[gpu]"; or use the CPU'
        )


def missing() -> str | None:
    """Returns why onnxruntime cannot be used, or None."""
    try:
        import onnxruntime  # noqa: F401
    except ImportError:
        return 'onnxruntime is not installed: pip install "genzoo[cpu]", or "genzoo[gpu]"'
    return None


@contextlib.contextmanager
def _quiet_cuda() -> Iterator[None]:
    """Loads CUDA's libraries and silences onnxruntime inside: :func:`open_session` reports whether
    CUDA started."""
    import onnxruntime

    with contextlib.redirect_stdout(io.StringIO()):
        onnxruntime.preload_dlls()
    onnxruntime.set_default_logger_severity(4)
    try:
        yield
    finally:
        onnxruntime.set_default_logger_severity(2)
