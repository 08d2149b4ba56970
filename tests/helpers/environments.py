"""Environments that have genzoo's wheel and no tree.

One borrows the packages of this Python through a ``.pth`` file. What this one has editable stays
out of it: ``.pth`` files count in an environment's own ``site-packages`` only.
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
    """A finished process that saw no Python path but its environment's own, and no network."""
    mine = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "ZOO_"))}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=mine | QUIET | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Standard output of a process that must end well."""
    done = end(*command, cwd=cwd, **environment)
    assert done.returncode == 0, f"{command} ended with {done.returncode}\n{done.stderr}"
    return done.stdout


def make_environment(folder: Path, wheel: Path) -> Path:
    """A new environment ``folder/env`` with the wheel, and with pip and all else borrowed."""
    env = folder / "env"
    run(sys.executable, "-m", "venv", "--without-pip", env, cwd=folder)
    pip = (sys.executable, "-m", "pip", "--python", env)
    run(*pip, "install", "--quiet", "--no-deps", "--no-compile", wheel, cwd=folder)
    (packages,) = env.glob("lib/python*/site-packages")
    mine = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    (packages / "borrowed.pth").write_text("\n".join(mine) + "\n", "utf-8")
    for name in ("pip", "pytest"):
        script = env / "bin" / name
        script.write_text(f'#!/bin/sh\nexec "{env}/bin/python" -m {name} "$@"\n', "utf-8")
        script.chmod(0o755)
    return env
