"""The command line, run in this process."""

from __future__ import annotations

from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """Standard error without its ``zoo: ``, if it is one line that a user can act on."""
        assert self.err.startswith("zoo: "), self.err
        assert self.err.endswith("\n"), self.err
        assert self.err.count("\n") == 1, self.err
        assert "something went wrong inside" not in self.err
        return self.err.removeprefix("zoo: ").removesuffix("\n")


class Commands:
    """The command line in this process: ``commands("list", "--json")`` gives a Result."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *arguments: object) -> Result:
        from zoo.cli import main

        self.capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        return Result(status, *self.capsys.readouterr())

    def fails(self, status: int, *arguments: object) -> str:
        """Run what must end with ``status`` and one sentence; returns the sentence."""
        result = self(*arguments)
        assert (result.status, result.out) == (status, ""), result
        return result.sentence
