"""``zoo train --minutes`` prints the command with ``--steps`` that repeats the run, if one does."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

SMALL = ("--set=depth=1", "--set=width=8", "--set", "decay=none", "--device", "cpu")


def repeat_lines(text: str) -> list[list[str]]:
    """The words of the commands that a run printed."""
    found = [line.partition("repeat:")[2] for line in text.splitlines() if "repeat:" in line]
    return [shlex.split(line) for line in found]


def test_the_command_repeats_a_run_of_minutes(here: Path, commands) -> None:
    timed = commands("train", "glow", *SMALL, "--minutes=0.005", "--seed=3", "--out=a b")
    assert timed.status == 0, timed.err
    (words,) = repeat_lines(timed.out)
    assert words[:3] == ["zoo", "train", "glow"]
    assert "--minutes" not in words
    again = commands(*words[1:], "--out", "again")
    assert again.status == 0, again.err
    weights = [(here / name / "model.safetensors").read_bytes() for name in ("a b", "again")]
    assert weights[0] == weights[1]
    assert repeat_lines(again.out) == []
    resumed = commands("train", "glow", "--resume", "--out=a b", "--minutes=0.006")
    assert (resumed.status, repeat_lines(resumed.out)) == (0, [])


@pytest.mark.parametrize(
    "more", [("decay=linear", "minutes=0.005"), ("decay=none", "minutes=9", "steps=2")]
)
def test_what_cannot_be_repeated_by_steps_prints_none(
    more: tuple[str, ...], here: Path, commands
) -> None:
    settings = [f"--set={text}" for text in ("depth=1", "width=8", *more)]
    done = commands("train", "glow", *settings, "--device=cpu")
    assert done.status == 0, done.err
    assert repeat_lines(done.out) == []
