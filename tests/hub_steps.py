"""A client of the Hub in a process of its own: several steps in one, as torch takes its time."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_RUNNER = """
import contextlib, io, json, sys
from zoo.cli import main

done, names = [], {}
for step in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = 0 if isinstance(step, str) else main(step)
        if isinstance(step, str):
            exec(step, names)
    done.append((status, out.getvalue(), err.getvalue()))
print(json.dumps(done))
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
    environment: Mapping[str, str], cwd: Path, *steps: Sequence[object] | str
) -> list[Step]:
    """Do ``steps`` one after another in a new process: words of ``zoo``, or lines of Python that
    keep their names."""
    given = [step if isinstance(step, str) else [str(word) for word in step] for step in steps]
    done = subprocess.run(
        [sys.executable, "-c", _RUNNER],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=cwd,
        env={**environment, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return [Step(*values) for values in json.loads(done.stdout.splitlines()[-1])]
