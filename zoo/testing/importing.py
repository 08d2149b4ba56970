"""Importing a plugin is quick, for every command imports all of them."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from types import ModuleType

from zoo.testing.promise import Broken, promise
from zoo.testing.subject import Subject

_SECONDS = 120

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
        found = subject.module_name != "__main__" and find_spec(subject.module_name) is not None
    except (ImportError, ValueError):
        found = False
    if found:
        return None
    return f"the plugin is an object of {subject.module_name}, which cannot be imported by name"


@promise("imports", "importing the plugin loads no torch", unless=_not_importable)
def imports(subject: Subject) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT, subject.module_name, *sys.path],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        raise Broken(f"importing {subject.module_name} in a fresh process fails: {last[0]}")
    seconds, torch = done.stdout.splitlines()[-1].split()
    milliseconds = f"{float(seconds) * 1000:.0f} ms"
    if torch == "True":
        raise Broken(
            f"importing {subject.module_name} imports torch, in {milliseconds}: import torch "
            "inside the hooks"
        )
    return milliseconds
