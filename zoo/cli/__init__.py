"""The command ``zoo``: entry point and error handling; each command is a module of this package.

Exit status: 0 success, 1 failure, 2 wrong call, 130 after Ctrl-C, 143 after SIGTERM. An error is
one sentence on standard error, with a traceback only with ``--debug``.
"""

from __future__ import annotations

import os
import select
import sys
import traceback
from collections.abc import Iterator, Sequence

import click

from zoo.cli.group import ZooGroup
from zoo.errors import Interrupted, ZooError
from zoo.system.console import echo, say
from zoo.system.memory import keep_freed_memory

GREETING = """genzoo: train, sample and compare generative image models.

Try:
  zoo list                        list all models
  zoo train glow                  train a model on the embedded digits
  zoo sample runs/glow-digits     generate images
  zoo show glow                   list the configuration keys of a model
  zoo -h                          list all commands"""


@click.group(
    cls=ZooGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="genzoo", prog_name="zoo")
@click.pass_context
def cli(context: click.Context) -> None:
    """Train, sample and compare generative image models."""
    if context.invoked_subcommand is None:
        echo(*GREETING.split("\n"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit status; never raises."""
    argv = [*(sys.argv[1:] if arguments is None else arguments)]  # list is a module here
    keep_freed_memory()
    try:
        return _run(argv)
    except BaseException as error:
        if isinstance(error, BrokenPipeError) and _stdout_is_closed():
            return 0
        status, message = _ending(error)
        if "--debug" in argv and not isinstance(error, _EXPECTED):
            say(*_traceback(error))
        if message is not None:
            say(f"zoo: {_shortened(' '.join(message.split()))}")
        return status


MAX_MESSAGE = 1000
"""Maximum number of characters of an error, which may quote names of strangers."""

_COMPLETE = "_ZOO_COMPLETE"
_EXPECTED = (click.exceptions.Exit, click.ClickException, click.Abort, Interrupted, SystemExit)
"""Errors without a traceback, even with ``--debug``."""


def _run(arguments: list[str]) -> int:
    if instruction := os.environ.get(_COMPLETE):
        from click.shell_completion import shell_complete

        return shell_complete(cli, {}, "zoo", _COMPLETE, instruction)
    with cli.make_context("zoo", arguments.copy()) as context:  # click consumes its list
        result = cli.invoke(context)
    if sys.stdout is not None:
        sys.stdout.flush()
    return result if isinstance(result, int) else 0


def _ending(error: BaseException) -> tuple[int, str | None]:
    """Returns the exit status for an exception, and the message to print if any."""
    match error:
        case ZooError():
            return error.exit_code, str(error)
        case click.UsageError():
            hint = f" (see {error.ctx.command_path} -h)" if error.ctx is not None else ""
            return 2, error.format_message() + hint
        case click.ClickException():
            return error.exit_code, error.format_message()
        case click.Abort() | KeyboardInterrupt():
            return 130, "interrupted"
        case click.exceptions.Exit(exit_code=code) | SystemExit(code=code):
            return (code if isinstance(code, int) else int(code is not None)), None
        case OSError(filename=str(name)):
            return 1, f"{name} cannot be read or written: {error.strerror}"
        case OSError():
            return 1, f"reading or writing failed: {error.strerror or error}"
    first = next(iter(str(error).strip().splitlines()), "")
    return 1, (
        f"internal error, {type(error).__name__}: {first} "
        "(please report it, with the traceback of --debug)"
    )


def _traceback(error: BaseException) -> Iterator[str]:
    """Yields the lines of a traceback; an error, which may quote a stranger, is one of them."""
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier is not None:
        yield from [*_traceback(earlier), "", "which led to:", ""]
    yield "Traceback (most recent call last):"
    yield from "".join(traceback.format_tb(error.__traceback__)).rstrip().split("\n")
    yield f"{type(error).__module__}.{type(error).__qualname__}: {error}"


def _shortened(message: str) -> str:
    """Returns a message without its middle if it is too long: its end says what to do."""
    if len(message) <= MAX_MESSAGE:
        return message
    return f"{message[: MAX_MESSAGE // 2]} ... {message[-MAX_MESSAGE // 2 :]}"


def _stdout_is_closed() -> bool:
    """Whether the reader of standard output has closed the pipe; if so, redirects the output to
    avoid an error message of Python at exit."""
    try:
        output = sys.stdout.fileno()
        poll = select.poll()
        poll.register(output, 0)
        closed = any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))
        if closed:
            os.dup2(os.open(os.devnull, os.O_WRONLY), output)
        return closed
    except (AttributeError, OSError, ValueError):
        return False
