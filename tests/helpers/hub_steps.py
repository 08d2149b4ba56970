"""A client of the Hub in a process of its own: several steps in one, as torch takes its time.

The process is forked from one that has imported torch and nothing of the Hub's or of genzoo.
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

def work(asked):
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["cwd"])
    for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep):
        path = os.path.join(folder, "sitecustomize.py")
        if folder and os.path.exists(path):
            exec(open(path).read(), {})
    from zoo.cli import main

    done, names = [], {}
    for step in asked["steps"]:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = 0 if isinstance(step, str) else main(step)
            if isinstance(step, str):
                exec(step, names)
        done.append((status, out.getvalue(), err.getvalue()))
    return done

for line in sys.stdin:
    read, write = os.pipe()
    if os.fork() == 0:
        os.close(read)
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        try:
            said = work(json.loads(line))
        except BaseException:
            said = traceback.format_exc()
        with open(write, "w") as file:
            json.dump(said, file)
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
        """The one line on standard error that says what failed, behind what was said before."""
        assert self.status in (1, 2), self
        *_, last = self.err.splitlines()
        assert last.startswith("zoo: "), self
        assert len(re.findall(r"^zoo: ", self.err, re.MULTILINE)) == 1, self
        assert "something went wrong inside" not in last, self
        assert "failed in zoo_" not in last, self
        return last.removeprefix("zoo: ")


def upload(name: str, content: str, repository: str = "tester/vae", kind: str = "model") -> str:
    """Python for a step: somebody writes a file on the Hub, with its client."""
    return (
        "import huggingface_hub\n"
        f"huggingface_hub.upload_file(path_or_fileobj={content.encode()!r}, "
        f"path_in_repo={name!r}, repo_id={repository!r}, repo_type={kind!r})"
    )


def append(path: str, text: str) -> str:
    """Python for a step: a line is added to a file."""
    return f"with open({path!r}, 'a') as file: file.write({text!r})"


def licensed(run: Path, to: Path) -> Path:
    """A copy of a run folder whose card has a licence, so that it can be pushed."""
    shutil.copytree(run, to)
    card = (to / "README.md").read_text("utf-8")
    if "\nlicense:" not in card:
        card = card.replace("---\n", "---\nlicense: apache-2.0\n", 1)
    (to / "README.md").write_text(card, "utf-8")
    return to


def run_steps(
    environment: Mapping[str, str], cwd: Path, *steps: Sequence[object] | str, torch: bool = True
) -> list[Step]:
    """Do ``steps`` one after another in a new process: words of ``zoo``, or lines of Python that
    keep their names. Without ``torch`` it has not been imported before them."""
    given = [step if isinstance(step, str) else [str(word) for word in step] for step in steps]
    asked = {
        "environment": {**environment, "OMP_NUM_THREADS": "1"},
        "cwd": str(cwd),
        "steps": given,
    }
    server = _server(torch)
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(json.dumps(asked) + "\n")
    server.stdin.flush()
    done = json.loads(server.stdout.readline())
    assert isinstance(done, list), done
    return [Step(*values) for values in done]


@cache
def _server(torch: bool) -> subprocess.Popen[str]:
    """The process that the others are forked from; it ends with its standard input."""
    return subprocess.Popen(
        [sys.executable, "-c", _SERVER, *(["torch"] if torch else [])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
