"""Runs of strangers: files that are larger than they look, or that expand while they are read."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

GIB = 2**30
FEW = ["-n", "1", "-o", "x.npy"]
SAMPLE = ["sample", "run", *FEW]
RESUME = ["train", "glow", "--out", "run", "--resume", "--steps", "30"]


def sparse(name: str, start: bytes = b"") -> Callable[[Path], object]:
    """A file of 3 GiB, which takes no space on the disk."""

    def make(run: Path) -> None:
        (run / name).unlink(missing_ok=True)
        with open(run / name, "wb") as file:
            file.write(start)
            file.truncate(3 * GIB)

    return make


def config(**values: object) -> Callable[[Path], object]:
    def make(run: Path) -> None:
        document = json.loads((run / "config.json").read_text())
        (run / "config.json").write_text(json.dumps(document | values))

    return make


def names(count: int) -> Callable[[Path], object]:
    """A run of images of many classes."""

    def make(run: Path) -> None:
        document = json.loads((run / "config.json").read_text())
        image = document["image"] | {
            "classes": count,
            "class_names": [str(i) for i in range(count)],
        }
        (run / "config.json").write_text(json.dumps(document | {"image": image}))

    return make


def text(name: str, content: str) -> Callable[[Path], object]:
    return lambda run: (run / name).write_text(content)


def front(metadata: str) -> Callable[[Path], object]:
    """A card with other metadata."""

    def make(run: Path) -> None:
        _, _, body = (run / "README.md").read_text("utf-8").split("---\n", 2)
        (run / "README.md").write_text(f"---\n{metadata}\n---\n{body}")

    return make


def marks(run: Path) -> None:
    with open(run / "README.md", "a") as file:
        file.write("<!-- zoo: facts (" * 60_000)


def lines(count: int) -> Callable[[Path], object]:
    """A log of many lines."""
    return lambda run: (run / "metrics.jsonl").write_bytes(b'{"step":1}\n' * count)


def wide(run: Path) -> None:
    """A log of long lines of short keys."""
    line = json.dumps({"step": 1} | {f"k{i}": i for i in range(5000)}).encode() + b"\n"
    (run / "metrics.jsonl").write_bytes(line * 3000)


def aliases() -> str:
    rows = [
        f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]"
        for a, b in zip("abcdefghi", "bcdefghij", strict=True)
    ]
    return "\n".join(["a: &a [x]", *rows])


def pipe(name: str) -> Callable[[Path], object]:
    def make(run: Path) -> None:
        (run / name).unlink(missing_ok=True)
        os.mkfifo(run / name)

    return make


TWO = (2).to_bytes(8, "little")
ENDED = [*RESUME[:-1], "24"]
STEP = "checkpoints/step-00000024"
CASES: dict[str, tuple[Callable[[Path], object], list[str], str]] = {
    "config of 3 GiB": (sparse("config.json"), SAMPLE, "at most 16,777,216 are read"),
    "config of lists": (text("config.json", "[[]," * 4 * 10**6), SAMPLE, "not valid JSON"),
    "a million classes": (names(10**6), SAMPLE, "was changed since genzoo wrote it"),
    "images of 1024 pixels": (
        config(image={"channels": 3, "size": 1024, "classes": 0, "bits": 8, "class_names": []}),
        SAMPLE, "",
    ),
    "weights of 3 GiB": (sparse("model.safetensors", TWO + b"{}"), SAMPLE, "damaged"),
    "log of one line of 3 GiB": (sparse("metrics.jsonl"), ["card", "run"], ""),
    "log of 20 million lines": (lines(20 * 10**6), ["card", "run"], ""),
    "log of 20 million lines to check": (lines(20 * 10**6), ["verify", "run"], ""),
    "log of 20 million lines to go on": (lines(20 * 10**6), RESUME, "has over 4,194,304 lines"),
    "log of 4 million lines to check": (lines(2**22), ["verify", "run", "--repair"], ""),
    "log of 2 million lines to go on": (lines(2**21), ENDED, ""),
    "log of long lines": (wide, ["card", "run"], ""),
    "metrics of 3 GiB": (sparse("metrics.json"), ["verify", "run"], ""),
    "card of 3 GiB": (sparse("README.md"), ["card", "run"], "at most 1,048,576 are read"),
    "card of aliases": (front(aliases()), ["card", "run"], "has over 10,000 values"),
    "card of deep lists": (
        front(f"a: {'[' * 90_000}"), ["card", "run"], "is not valid YAML",
    ),
    "card of long metadata": (
        front(f"a: [{'x, ' * 90_000}]"),
        ["card", "run"], "has over 131,072 characters",
    ),
    "card of marks": (
        marks, ["card", "run"], "",
    ),
    "grid of 3 GiB": (sparse("samples/grid.png", b"\x89PNG\r\n\x1a\n"), ["verify", "run"], ""),
    "curve of 3 GiB": (sparse("curve.png"), ["verify", "run"], ""),
    "state of 3 GiB": (sparse(f"{STEP}/state.json"), RESUME, ""),
    "manifest of 3 GiB": (sparse(f"{STEP}/manifest.json"), RESUME, ""),
    "tensors of 3 GiB": (sparse(f"{STEP}/state.safetensors"), RESUME, ""),
    "a data record of 3 GiB": (sparse("checkpoints/data.json"), ["evaluate", "run", "-n", "1"], ""),
    "a pipe for a manifest": (pipe(f"{STEP}/manifest.json"), RESUME, ""),
    "a pipe for tensors": (pipe(f"{STEP}/state.safetensors"), ["verify", "run"], ""),
    "a pipe for weights": (pipe("model.safetensors"), ["push", "run", "user/run"], ""),
}  # fmt: skip
"""Changes of a run, a command, and its error; one without may also go on without the file."""


SOME = (
    *("config of lists", "weights of 3 GiB", "log of long lines", "card of aliases"),
    *("manifest of 3 GiB", "a pipe for tensors"),
)
"""Those that are no slow tests."""


@pytest.mark.parametrize(
    ("make", "command", "message"),
    [
        pytest.param(*case, id=name, marks=() if name in SOME else pytest.mark.slow)
        for name, case in CASES.items()
    ],
)
def test_hostile_runs_end_in_a_sentence_in_little_memory(
    make: Callable[[Path], object], command: list[str], message: str, trained_copy: Path
) -> None:
    run = trained_copy.rename(trained_copy.with_name("run"))
    make(run)
    device = ["--device", "cpu"] if command[0] in ("sample", "train", "evaluate") else []
    done = subprocess.run(
        [sys.executable, "-m", "zoo", *command, *device],
        cwd=run.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (GIB, GIB)),
    )
    assert done.returncode in ((1, 2) if message else (0, 1)), done.stderr
    if message or (done.returncode and not done.stdout):
        last = done.stderr.splitlines()[-1]
        assert last.startswith("zoo: ")
        assert message in last
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr
