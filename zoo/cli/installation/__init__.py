"""Checks of the installation, and the commands that mend it."""

from __future__ import annotations

from dataclasses import dataclass

CPU_TORCH = "pip install uv && uv pip install --torch-backend=cpu"
"""The beginning of a command that installs torch's build for the CPU: PyPI's for Linux brings
gigabytes of CUDA. uv knows the index of each build."""

GPU_TORCH = "pip install uv && uv pip install --torch-backend=auto"
"""The same for the build that the driver of this machine's GPU can run."""


@dataclass(frozen=True)
class Check:
    """The result of one check; ``fix`` is a command that mends a problem, or, where it is ``ok``,
    something that could be better."""

    subject: str
    ok: bool
    message: str
    fix: str = ""

    @property
    def state(self) -> str:
        """``"ok"``, ``"note"`` or ``"PROBLEM"``."""
        return "PROBLEM" if not self.ok else "note" if self.fix else "ok"
