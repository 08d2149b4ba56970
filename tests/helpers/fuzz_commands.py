"""Strategies for settings, TOML files and whole command lines."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from fuzz_runs import Case, Files
from hypothesis import strategies as st
from mutations import damaged, raw, texts, values

from zoo.config.sections import DataConfig, TrainingConfig

TRAIN = ["train", "tiny", "--data", "data.npz", "--device", "cpu", "--out", "new"]
ONE_STEP = ["--steps", "1"]
FIELDS = {"data": DataConfig.model_fields, "training": TrainingConfig.model_fields}
KEYS = [
    *(f"{section}.{key}" for section, fields in FIELDS.items() for key in fields),
    *("model.fail_at", "fail_at", "size", "training", "model.", ".", "data.x", "steps.steps"),
]
_FREE = st.characters(codec="utf-8", exclude_characters="\0")
keys = st.one_of(*[st.sampled_from(KEYS)] * 4) | st.text(_FREE, max_size=12)
usual = st.sampled_from(["1", "2", "4", "8", "0", "0.5", "null", "true", "adam", "none", "cosine"])
arguments = st.one_of(
    usual, usual, texts, st.text(_FREE, max_size=12), values.map(lambda v: raw(v).decode())
)


def settings(files: Files) -> st.SearchStrategy[Case]:
    """``--set`` of any key and value."""
    assignment = st.tuples(keys, st.sampled_from([*["="] * 8, "", "==", ":"]), arguments)
    given = st.lists(assignment.map("".join), min_size=1, max_size=2).map(
        lambda texts: [part for text in texts for part in ("--set", text)]
    )
    read = st.sampled_from([["data", "data.npz"], ["evaluate", "run", "--data", "data.npz"], TRAIN])
    return st.tuples(read, given).map(
        lambda picked: (
            dict(files),
            [*picked[0], *picked[1], *(ONE_STEP if picked[0] is TRAIN else [])],
            picked[0][0] != "evaluate",
        )
    )


def toml(files: Files) -> st.SearchStrategy[Case]:
    """A TOML file of any contents."""
    pairs = st.tuples(
        keys, arguments | st.sampled_from(["1979-05-27", "inf", "nan", "'x'", "[[]]"])
    )
    line = pairs.map(lambda pair: f"{pair[0].partition('.')[2] or pair[0]} = {pair[1]}")
    sections = st.sampled_from(["[data]", "[training]", "[model]", "[[data]]", "[x]", "data = 1"])
    whole = st.lists(sections | line, max_size=5).map(
        lambda lines: "\n".join(lines).encode("utf-8", "surrogatepass")
    )
    deep = st.sampled_from([b"a = " + b"[" * 5000, b"[" + b"a." * 5000 + b"b]", b"\xff\xfe", b"\0"])
    contents = st.one_of(whole, whole, whole.flatmap(damaged), deep)
    return contents.map(
        lambda data: ({**files, "c.toml": data}, [*TRAIN, *ONE_STEP, "--config", "c.toml"], True)
    )


OPTIONS = {
    "list": ["--json"],
    "show": ["--json"],
    "plugins": ["--json"],
    "doctor": ["--json"],
    "runs": ["--json"],
    "data": ["--set", "--model", "--preset", "--config", "--seed", "-o", "--list", "--json"],
    "sample": ["-n", "--temperature", "--seed", "--label", "--interpolate", "-o", "--device"],
    "reconstruct": ["--seed", "-o", "--device", "--data"],
    "evaluate": ["--data", "--set", "--split", "--metric", "-n", "--seed", "--device"],
    "compare": ["--seed", "-o", "--device", "--json"],
    "verify": ["--repair", "--json"],
    "card": ["--license"],
    "new-plugin": [],
    "push": ["--private", "--revision", "--commit-message", "--with-space"],
    "pull": ["--revision"],
    "demo": ["-o", "--port", "--ort"],
    "export": ["-o"],
    "train": ["--preset", "--config", "--set", "--seed", "--precision", "--out", "--resume"],
}
"""Commands with options that let them end soon."""

words = st.one_of(
    st.sampled_from(
        ["run", "other", "data.npz", "tiny", "glow", "digits", "x.png", "x.npy", "new"]
    ),
    st.sampled_from(["user/x", "user/x@v1", "https://huggingface.co/x", ".", "..", "/", "-", "--"]),
    st.sampled_from(["0", "1", "3", "-1", "0.5", "nan", "inf", "1e400", "cpu", "cuda", "cuda:9"]),
    st.sampled_from(["test", "train", "bits_per_dim", "data.size=4", "cat", "--help", "--debug"]),
    texts,
    st.text(_FREE, max_size=8),
)
USUAL = {
    "data": ["data.npz"],
    "show": ["tiny"],
    "compare": ["run", "other"],
    "push": ["run", "user/x"],
    "pull": ["user/x", "new"],
    "list": [],
    "runs": ["."],
    "plugins": [],
    "doctor": [],
    "new-plugin": ["waves"],
    "train": ["tiny", "--data", "data.npz", "--steps", "1", "--device", "cpu"],
}
"""Arguments of a right call; ``run`` for the others."""


@st.composite
def _line(pick: st.DrawFn) -> list[str]:
    command = pick(st.sampled_from([*OPTIONS]))
    line = [*USUAL.get(command, ["run"])]
    if command == "train":
        pass
    elif pick(st.integers(0, 2)) == 0:
        line = pick(st.lists(words, max_size=3))
    for _ in range(pick(st.integers(0, 3))):
        option = pick(st.sampled_from([*OPTIONS[command], "--debug"]) | words)
        at = pick(st.integers(0, len(line)))
        line[at:at] = [option, pick(words)] if pick(st.booleans()) else [option]
    if pick(st.integers(0, 19)) == 0:
        command = pick(words)
    line = [_argument(word) for word in line]
    return [command, *line, *(["--steps", "1"] if command == "train" else [])]


def _argument(word: str) -> str:
    """A word as a process gets it: without null, and bytes that are not UTF-8 as surrogates."""
    return os.fsdecode(word.replace("\0", "").encode("utf-8", "surrogatepass"))


def lines(files: Files) -> st.SearchStrategy[Case]:
    return _line().map(lambda line: (dict(files), line, False))


TARGETS: Mapping[str, tuple[int, Callable[[Files], st.SearchStrategy[Case]]]] = {
    "--set": (800, settings),
    "TOML": (300, toml),
    "command lines": (1200, lines),
}
"""Cases of 10,000, and their strategy."""
