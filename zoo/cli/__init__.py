"""The command ``zoo``: its manners are here, each command is a module beside this one.

Exit status: 0 done, 2 the call was wrong, 1 it failed, 130 after Ctrl-C, 143 after SIGTERM. An error
is one sentence on standard error, with a traceback only where ``--debug`` asks for one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from zoo.cli.group import ZooGroup
from zoo.errors import Interrupted, ZooError

GREETING = """genzoo: generative image models to train, compare and ship.

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
    """Train, sample and share generative image models."""
    if context.invoked_subcommand is None:
        click.echo(GREETING)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status and never raises."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    try:
        result = cli.main(args=given, prog_name="zoo", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except BrokenPipeError:
        _forget_output()
        return 0
    except click.UsageError as error:
        _say(error.format_message(), error.ctx)
        return 2
    except click.ClickException as error:
        _say(error.format_message())
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        _say("interrupted")
        return 130
    except ZooError as error:
        if debug and not isinstance(error, Interrupted):
            raise
        _say(str(error))
        return error.exit_code
    except Exception as error:
        if debug:
            raise
        first = (str(error).strip().splitlines() or [""])[0]
        _say(
            f"something went wrong inside genzoo, {type(error).__name__}: {first} "
            "(--debug shows where; please report it)"
        )
        return 1


def _say(message: str, context: click.Context | None = None) -> None:
    one = " ".join(message.split())
    help_ = f" ({context.command_path} -h tells more)" if context is not None else ""
    click.echo(f"zoo: {one}{help_}", err=True)


def _forget_output() -> None:
    """Whoever read our output has gone: keep Python from complaining while it exits."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
