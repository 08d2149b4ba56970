"""``zoo export RUN``: ONNX graphs with parity reports."""

from __future__ import annotations

from pathlib import Path

import click

from zoo.cli.group import columns, echo_json, json_option

OPSETS = (18, 23)
"""The lowest and the highest opset that torch can write without a conversion of versions."""


@click.command("export")
@click.argument("run", type=click.Path())
@click.option(
    "--graph",
    default="all",
    show_default=True,
    help="sampler: latents to pictures; encoder: pictures to latents; all: those that there are.",
)
@click.option(
    "--precision",
    type=click.Choice(["fp32", "fp16"]),
    default="fp32",
    show_default=True,
    help="Of weights and arithmetic; inputs and outputs are float32 in both.",
)
@click.option(
    "--opset", type=click.IntRange(*OPSETS), default=20, show_default=True, help="ONNX opset."
)
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="The folder; RUN/onnx otherwise."
)
@json_option
def command(
    run: str, graph: str, precision: str, opset: int, out: Path | None, as_json: bool
) -> None:
    """Write RUN's graphs as ONNX files, each with a parity report beside it.

    What onnxruntime computes is compared with the network itself, in float32 and float64, on fresh
    latents and real pictures. Over the tolerance nothing is written, and an earlier export stays.
    """
    from zoo.api import load
    from zoo.system.progress import progress
    from zoo_onnx.export import export

    loaded = load(run, "cpu")
    told = progress()
    try:
        exported = export(loaded, graph, precision, opset, out, told)
    finally:
        told.close()
    if as_json:
        echo_json([one.report for one in exported])
        return
    click.echo(columns([(str(one.path), one.summary) for one in exported]))
