"""``zoo demo RUN``: an interactive web page."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from zoo.errors import UsageError
from zoo.runs.sources import require_here
from zoo.system.console import echo, say

NAME = "demo"
"""The default folder of the page, in the run folder."""


@click.command("demo")
@click.argument("run", type=click.Path())
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="Output folder; default RUN/demo. A page that is already there is replaced.",
)
@click.option(
    "--serve",
    is_flag=True,
    help="Serve and open the page until Ctrl-C.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Port of 127.0.0.1 with --serve; default a free one.",
)
@click.option(
    "--ort",
    type=click.Path(path_type=Path),
    help="Folder of onnxruntime-web, such as node_modules/onnxruntime-web: its files are copied "
    "into the page, which then needs no network.",
)
def command(run: str, out: Path | None, serve: bool, port: int | None, ort: Path | None) -> None:
    """Write a web page that generates images from RUN's graphs in the browser.

    Any web server can serve the folder, and it is a static Space of the Hugging Face Hub. A run
    without ONNX graphs is exported first. With --serve and without -o nothing is kept.
    """
    if port is not None and not serve:
        raise UsageError(f"--port {port} needs --serve")

    from zoo_web.description import graph_folder
    from zoo_web.folder import write

    folder = graph_folder(run)
    if not serve:
        if out is None:
            require_here(run, "name a folder for the page, -o DIR, or use --serve")
        written = write(folder, folder / NAME if out is None else out, ort)
        echo(written)
        say(f"serve it with any web server, or with: zoo demo {run} --serve")
        return

    from zoo_web.server import serve as serve_folder

    if out is not None:
        serve_folder(write(folder, out, ort), port or 0)
        return
    with tempfile.TemporaryDirectory(prefix="zoo-demo-") as temporary:
        serve_folder(write(folder, Path(temporary) / NAME, ort), port or 0)
