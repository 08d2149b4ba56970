"""The command line, run in this process."""

from __future__ import annotations

from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Result:
    """The result of a command."""

    status: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """Standard error without ``zoo: ``; asserts one line and no internal error."""
        assert self.err.startswith("zoo: "), self.err
        assert self.err.endswith("\n"), self.err
        assert self.err.count("\n") == 1, self.err
        assert "internal error" not in self.err
        return self.err.removeprefix("zoo: ").removesuffix("\n")


class Commands:
    """The command line in this process: ``commands("list", "--json")`` returns a Result."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *arguments: object) -> Result:
        from zoo.cli import main

        self.capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        return Result(status, *self.capsys.readouterr())

    def fails(self, status: int, *arguments: object) -> str:
        """Runs a command that must exit with ``status``; returns its error message."""
        result = self(*arguments)
        assert (result.status, result.out) == (status, ""), result
        return result.sentence
