"""``zoo doctor``: what this machine has, and what would keep genzoo from working on it."""

from __future__ import annotations

import click

from zoo.cli.group import columns, echo_json, json_option
from zoo.doctor import examine


@click.command("doctor")
@json_option
def command(as_json: bool) -> int:
    """Look for what is broken; exit 1 where something is."""
    findings = examine()
    if as_json:
        echo_json([finding.__dict__ for finding in findings])
    else:
        click.echo(columns([("ok" if f.ok else "PROBLEM", f.subject, f.message) for f in findings]))
    return 0 if all(finding.ok for finding in findings) else 1
