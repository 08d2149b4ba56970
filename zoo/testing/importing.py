"""Import time: every command imports every plugin, so none may import torch."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from types import ModuleType

from zoo.testing.promise import Broken, promise
from zoo.testing.subject import Subject

_TIMEOUT = 120

_IMPORT = """
import sys, time
sys.path[:] = sys.argv[2:]
import zoo
start = time.perf_counter()
__import__(sys.argv[1])
print()
print(time.perf_counter() - start, "torch" in sys.modules)
"""


def _not_importable(subject: Subject) -> str | None:
    if isinstance(subject.module, ModuleType):
        return None
    try:
        importable = (
            subject.module_name != "__main__" and find_spec(subject.module_name) is not None
        )
    except (ImportError, ValueError):
        importable = False
    if importable:
        return None
    return f"the plugin is an object of {subject.module_name}, which cannot be imported"


@promise("imports", "importing the plugin does not import torch", unless=_not_importable)
def imports(subject: Subject) -> str:
    process = subprocess.run(
        [sys.executable, "-c", _IMPORT, subject.module_name, *sys.path],
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
        check=False,
    )
    if process.returncode:
        lines = process.stderr.strip().splitlines() or [f"exit status {process.returncode}"]
        raise Broken(f"importing {subject.module_name} in a new process fails: {lines[-1]}")
    seconds, imports_torch = process.stdout.splitlines()[-1].split()
    milliseconds = f"{float(seconds) * 1000:.0f} ms"
    if imports_torch == "True":
        raise Broken(
            f"importing {subject.module_name} imports torch, in {milliseconds}: import torch "
            "inside the hooks"
        )
    return milliseconds
