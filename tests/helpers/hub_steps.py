"""Runs commands of ``zoo`` and lines of Python in a new process, with the Hub's client.

The process is forked from one that has imported torch, which is slow, but neither huggingface_hub
nor genzoo.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_SERVER = """
import contextlib, io, json, os, sys, traceback

if sys.argv[1:] == ["torch"]:
    import safetensors.torch, torch

def work(request):
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["cwd"])
    for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep):
        path = os.path.join(folder, "sitecustomize.py")
        if folder and os.path.exists(path):
            exec(open(path).read(), {})
    from zoo.cli import main

    results, names = [], {}
    for step in request["steps"]:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = 0 if isinstance(step, str) else main(step)
            if isinstance(step, str):
                exec(step, names)
        results.append((status, out.getvalue(), err.getvalue()))
    return results

for line in sys.stdin:
    read, write = os.pipe()
    if os.fork() == 0:
        os.close(read)
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        try:
            result = work(json.loads(line))
        except BaseException:
            result = traceback.format_exc()
        with open(write, "w") as file:
            json.dump(result, file)
        os._exit(0)
    os.close(write)
    with open(read) as file:
        print(file.read() or '"the process died"', flush=True)
    os.wait()
"""


@dataclass(frozen=True)
class Step:
    """How a step ended."""

    status: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The error: the last line on standard error."""
        assert self.status in (1, 2), self
        *_, last = self.err.splitlines()
        assert last.startswith("zoo: "), self
        assert len(re.findall(r"^zoo: ", self.err, re.MULTILINE)) == 1, self
        assert "internal error" not in last, self
        assert "failed in zoo_" not in last, self
        return last.removeprefix("zoo: ")


def upload(name: str, content: str, repository: str = "tester/vae", kind: str = "model") -> str:
    """Python for a step that writes a file on the Hub."""
    return (
        "import huggingface_hub\n"
        f"huggingface_hub.upload_file(path_or_fileobj={content.encode()!r}, "
        f"path_in_repo={name!r}, repo_id={repository!r}, repo_type={kind!r})"
    )


def append(path: str, text: str) -> str:
    """Python for a step that appends to a file."""
    return f"with open({path!r}, 'a') as file: file.write({text!r})"


def licensed(run: Path, to: Path) -> Path:
    """Copies a run folder and adds a license to its card, so that it can be pushed."""
    shutil.copytree(run, to)
    card = (to / "README.md").read_text("utf-8")
    if "\nlicense:" not in card:
        card = card.replace("---\n", "---\nlicense: apache-2.0\n", 1)
    (to / "README.md").write_text(card, "utf-8")
    return to


def run_steps(
    environment: Mapping[str, str], cwd: Path, *steps: Sequence[object] | str, torch: bool = True
) -> list[Step]:
    """Runs ``steps`` in order in a new process: arguments of ``zoo``, or lines of Python that share
    their variables. Without ``torch`` it is not imported in advance."""
    request = {
        "environment": {**environment, "OMP_NUM_THREADS": "1"},
        "cwd": str(cwd),
        "steps": [step if isinstance(step, str) else [*map(str, step)] for step in steps],
    }
    server = _server(torch)
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(json.dumps(request) + "\n")
    server.stdin.flush()
    results = json.loads(server.stdout.readline())
    assert isinstance(results, list), results
    return [Step(*result) for result in results]


@cache
def _server(torch: bool) -> subprocess.Popen[str]:
    """The process that others are forked from; it ends when its standard input closes."""
    return subprocess.Popen(
        [sys.executable, "-c", _SERVER, *(["torch"] if torch else [])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
