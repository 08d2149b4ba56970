"""Virtual environments with genzoo's wheel installed, outside of the source tree.

Other packages come from the current environment through a ``.pth`` file. Its editable installs are
not included: ``.pth`` files work only in an environment's own ``site-packages``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

QUIET = {
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "NO_COLOR": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_CACHE_DIR": "1",
    "PIP_NO_INDEX": "1",
    "PIP_NO_BUILD_ISOLATION": "0",  # pip reads it as what --no-build-isolation sets: isolation off
}


def end(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a process without the current Python path and without network access."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "ZOO_"))}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=inherited | QUIET | environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Runs a process that must succeed; returns its standard output."""
    process = end(*command, cwd=cwd, **environment)
    assert process.returncode == 0, f"{command}: status {process.returncode}\n{process.stderr}"
    return process.stdout


def make_environment(folder: Path, wheel: Path) -> Path:
    """Creates an environment ``folder/env`` with the wheel; other packages are borrowed."""
    env = folder / "env"
    run(sys.executable, "-m", "venv", "--without-pip", env, cwd=folder)
    pip = (sys.executable, "-m", "pip", "--python", env)
    run(*pip, "install", "--quiet", "--no-deps", "--no-compile", wheel, cwd=folder)
    (packages,) = env.glob("lib/python*/site-packages")
    borrowed = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    (packages / "borrowed.pth").write_text("\n".join(borrowed) + "\n", "utf-8")
    for name in ("pip", "pytest"):
        script = env / "bin" / name
        script.write_text(f'#!/bin/sh\nexec "{env}/bin/python" -m {name} "$@"\n', "utf-8")
        script.chmod(0o755)
    return env
