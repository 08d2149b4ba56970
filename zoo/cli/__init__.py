"""The command ``zoo``: its manners are here, each command is a module beside this one.

Exit status: 0 done, 2 the call was wrong, 1 it failed, 130 after Ctrl-C, 143 after SIGTERM. An
error is one sentence on standard error, with a traceback only where ``--debug`` asks for one.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import traceback
from collections.abc import Sequence

import click

from zoo.cli.group import ZooGroup
from zoo.errors import Interrupted, ZooError
from zoo.system.memory import keep_freed_memory

GREETING = """genzoo: generative image models to train, draw from and compare.

Try:
  zoo list                        the models there are
  zoo train glow                  train one on the digits that come with genzoo
  zoo sample runs/glow-digits     draw pictures from it
  zoo show glow                   what can be set
  zoo -h                          all commands"""


@click.group(
    cls=ZooGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="genzoo", prog_name="zoo")
@click.pass_context
def cli(context: click.Context) -> None:
    """Train, draw from and compare generative image models."""
    if context.invoked_subcommand is None:
        click.echo(GREETING)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status and never raises."""
    given = [*(sys.argv[1:] if arguments is None else arguments)]  # list is a module here
    keep_freed_memory()
    try:
        return _run(given)
    except BaseException as error:
        if isinstance(error, BrokenPipeError) and _reader_is_gone():
            return 0
        status, message = _ending(error)
        if "--debug" in given and not isinstance(error, _EXPECTED):
            traceback.print_exception(error)
        if message is not None:
            _say(message)
        return status


_COMPLETE = "_ZOO_COMPLETE"
_EXPECTED = (click.exceptions.Exit, click.ClickException, click.Abort, Interrupted, SystemExit)
"""Where a traceback would tell nothing, even with ``--debug``."""


def _run(arguments: list[str]) -> int:
    if instruction := os.environ.get(_COMPLETE):
        from click.shell_completion import shell_complete

        return shell_complete(cli, {}, "zoo", _COMPLETE, instruction)
    with cli.make_context("zoo", arguments.copy()) as context:  # click empties what it gets
        result = cli.invoke(context)
    if sys.stdout is not None:
        sys.stdout.flush()
    return result if isinstance(result, int) else 0


def _ending(error: BaseException) -> tuple[int, str | None]:
    """The exit status of what was raised, and the sentence for the user where it takes one."""
    match error:
        case ZooError():
            return error.exit_code, str(error)
        case click.UsageError():
            more = f" ({error.ctx.command_path} -h tells more)" if error.ctx is not None else ""
            return 2, error.format_message() + more
        case click.ClickException():
            return error.exit_code, error.format_message()
        case click.Abort() | KeyboardInterrupt():
            return 130, "interrupted"
        case click.exceptions.Exit(exit_code=code) | SystemExit(code=code):
            return (code if isinstance(code, int) else int(code is not None)), None
        case OSError(filename=str(name)):
            return 1, f"{name} could not be read or written: {error.strerror}"
        case OSError():
            return 1, f"reading or writing failed: {error.strerror or error}"
    first = next(iter(str(error).strip().splitlines()), "")
    return 1, (
        f"something went wrong inside genzoo, {type(error).__name__}: {first} "
        "(--debug shows where; please report it)"
    )


def _say(message: str) -> None:
    with contextlib.suppress(OSError):
        click.echo(f"zoo: {' '.join(message.split())}", err=True)


def _reader_is_gone() -> bool:
    """Whether standard output is a pipe that nobody reads any more; then Python is kept from
    complaining of it as it exits."""
    try:
        output = sys.stdout.fileno()
        poll = select.poll()
        poll.register(output, 0)
        gone = any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))
        if gone:
            os.dup2(os.open(os.devnull, os.O_WRONLY), output)
        return gone
    except (AttributeError, OSError, ValueError):
        return False
