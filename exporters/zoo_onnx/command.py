"""``zoo export RUN``: ONNX graphs with parity reports."""

from __future__ import annotations

from pathlib import Path

import click

from zoo.api import host, read_run
from zoo.cli.group import columns, echo_json, json_option
from zoo.cli.loading import load_network
from zoo.export.names import default_graphs
from zoo.system.console import echo

OPSETS = (18, 23)
"""The lowest and the highest opset that torch writes without a version conversion."""


@click.command("export")
@click.argument("run", type=click.Path())
@click.option(
    "--graph",
    default="all",
    show_default=True,
    help="sampler: latents to images; encoder: images to latents; all: every graph of the model.",
)
@click.option(
    "--precision",
    type=click.Choice(["fp32", "fp16"]),
    default="fp32",
    show_default=True,
    help="Precision of weights and arithmetic; inputs and outputs are float32 in both.",
)
@click.option(
    "--opset", type=click.IntRange(*OPSETS), default=20, show_default=True, help="ONNX opset."
)
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="Output folder; default RUN/onnx."
)
@json_option
def command(
    run: str, graph: str, precision: str, opset: int, out: Path | None, as_json: bool
) -> None:
    """Write RUN's graphs as ONNX files, each with a parity report.

    The outputs in onnxruntime are compared with the network's, in float32 and float64, on fresh
    latents and real images. Above the tolerance nothing is written, and an earlier export stays.
    """
    from zoo_onnx.request import check_export, check_graph

    stored = read_run(run)
    check_export(stored, precision, out)
    if not host().owner(stored.name).has("zoo_graphs"):
        check_graph(stored.name, graph, default_graphs(stored.spec))
    loaded = load_network(stored, "cpu")

    from zoo.system.progress import progress
    from zoo_onnx.export import export

    reporter = progress()
    try:
        exported = export(loaded, graph, precision, opset, out, reporter)
    finally:
        reporter.close()
    if as_json:
        echo_json([item.report for item in exported])
        return
    echo(*columns([(str(item.path), item.summary) for item in exported]))
