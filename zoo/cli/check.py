"""``zoo check MODEL``: checks a model against the plugin contract."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from zoo.api import host
from zoo.cli.group import complete_models, echo_json, json_option
from zoo.config.check import check_call
from zoo.config.resolve import parse_assignment
from zoo.system.console import echo, say_loading
from zoo.system.device import check_device_name

if TYPE_CHECKING:
    from zoo.testing.promise import Finding, Promise


@click.command("check")
@click.argument("model", shell_complete=complete_models)
@click.option("--preset", help="Preset; default: the first.")
@click.option(
    "assignments", "--set", multiple=True, metavar="KEY=VALUE", help="Set a configuration key."
)
@click.option("--steps", type=click.IntRange(1), default=100, show_default=True, help="Steps.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
@json_option
def command(
    model: str,
    preset: str | None,
    assignments: tuple[str, ...],
    steps: int,
    device: str,
    as_json: bool,
) -> int:
    """Check that MODEL keeps every promise of the plugin contract.

    The model trains briefly on the embedded digits, in a temporary folder. Exit status 1 if a
    promise is broken.
    """
    plugins = host()
    spec = plugins.spec(model)
    settings = [parse_assignment(spec, text) for text in assignments]

    check_device_name(device)
    check_call(spec, preset, settings)
    say_loading(f"checking {model}")

    from zoo.testing.kit import PROMISES, Watcher, check_settings

    width = max(len(promise.name) for promise in PROMISES)
    on_terminal = sys.stderr.isatty()

    class Printer(Watcher):
        def started(self, promise: Promise) -> None:
            if on_terminal:
                sys.stderr.write(f"{promise.name} ...")
                sys.stderr.flush()

        def finished(self, finding: Finding) -> None:
            if on_terminal:
                blank = " " * (len(finding.name) + 4)
                sys.stderr.write(f"\r{blank}\r")
            if not as_json:
                echo(line(finding, width))

    report = check_settings(plugins, model, preset, settings, steps, device, Printer())
    if as_json:
        echo_json(report.as_json())
    else:
        echo(report)
    return 1 if report.broken else 0


def line(finding: Finding, width: int) -> str:
    """Returns a finding as one line, with its name padded to ``width``."""
    status = "BROKEN" if finding.status == "broken" else finding.status
    return f"{status:14}  {finding.name:{width}}  {finding.promise}: {finding.measured}"
