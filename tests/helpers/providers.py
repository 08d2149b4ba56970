"""An onnxruntime that claims to have CUDA, for tests of the options that it is opened with.

A test module takes the fixture with ``pytest_plugins = ["providers"]``.
"""

from __future__ import annotations

from typing import Any

import pytest

CPU = "CPUExecutionProvider"


@pytest.fixture
def providers(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The providers, with options, that the last session asked for; it runs on the CPU."""
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    requested: list[Any] = []
    real = onnxruntime.InferenceSession

    def open_on_cpu(model: Any, options: Any, providers: list[Any]) -> Any:
        requested[:] = providers
        return real(model, options, providers=[CPU])

    available = ["CUDAExecutionProvider", CPU]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: available)
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None)
    monkeypatch.setattr(onnxruntime, "InferenceSession", open_on_cpu)
    return requested
