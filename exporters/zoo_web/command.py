"""``zoo demo RUN``: a web page to play with."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from zoo.errors import UsageError
from zoo.runs.sources import require_here

NAME = "demo"
"""The folder of the page in a run's, where no other is named."""


@click.command("demo")
@click.argument("run", type=click.Path())
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="The folder; RUN/demo otherwise. One that this command wrote is written again.",
)
@click.option("--serve", is_flag=True, help="Show it in the browser until Ctrl-C.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Of 127.0.0.1, with --serve; a free one otherwise.",
)
@click.option(
    "--ort",
    type=click.Path(path_type=Path),
    help="A folder with onnxruntime-web's files, such as node_modules/onnxruntime-web: they are "
    "copied beside the page, which then needs no network.",
)
def command(run: str, out: Path | None, serve: bool, port: int | None, ort: Path | None) -> None:
    """Write a web page on which RUN's graphs draw pictures in the browser.

    The folder is all that a web server needs, and a static Space of the Hugging Face Hub as it
    stands. A run without ONNX graphs is exported first. With --serve and without -o nothing is
    kept.
    """
    if port is not None and not serve:
        raise UsageError(f"--port {port} goes with --serve: a folder has no port")

    from zoo_web.description import graph_folder
    from zoo_web.folder import write

    folder = graph_folder(run)
    if not serve:
        if out is None:
            require_here(run, "name a folder for the page, -o DIR, or look at it with --serve")
        written = write(folder, folder / NAME if out is None else out, ort)
        click.echo(written)
        click.echo(f"any web server can show it, and so does: zoo demo {run} --serve", err=True)
        return

    from zoo_web.server import serve as serve_folder

    if out is not None:
        serve_folder(write(folder, out, ort), port or 0)
        return
    with tempfile.TemporaryDirectory(prefix="zoo-demo-") as kept:
        serve_folder(write(folder, Path(kept) / NAME, ort), port or 0)
