"""``zoo bench RUN``: how fast its sampler draws."""

from __future__ import annotations

from pathlib import Path

import click

from zoo.api import locate
from zoo.cli.group import echo_json, json_option
from zoo.errors import UsageError
from zoo.runs.folder import CONFIG, WEIGHTS

BACKENDS = ("torch", "compile", "onnx")
MOST = 2**16


@click.command("bench")
@click.argument("run", type=click.Path())
@click.option(
    "--batch-sizes",
    default="1,4,16,64,256",
    show_default=True,
    help="Pictures that are drawn at a time.",
)
@click.option(
    "--backend",
    "backends",
    type=click.Choice(BACKENDS),
    multiple=True,
    help="torch: the network as it was trained; compile: its frozen sampler by torch.compile; "
    "onnx: the exported one in onnxruntime. Given once for each; all otherwise.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    default=1.0,
    show_default=True,
    help="Of each measurement, at least.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="A plot of the speeds, x.png; none else."
)
@json_option
def command(
    run: str,
    batch_sizes: str,
    backends: tuple[str, ...],
    seconds: float,
    device: str,
    out: Path | None,
    as_json: bool,
) -> None:
    """Measure how fast the sampler of RUN draws: latency and images a second of torch,
    torch.compile and onnxruntime, by batch size.

    Beside them stands the limit: the speed if only its multiply-adds took time, at the rate of this
    machine's matrix products.
    """
    sizes = parse_sizes(batch_sizes)
    if out is not None and (out.suffix != ".png" or out.is_dir()):
        raise UsageError(f"-o {out}: name a picture that ends in .png")

    from zoo.api import load
    from zoo.system.progress import Lines
    from zoo_onnx.bench import report
    from zoo_onnx.bench.speed import bench

    locate(run, (CONFIG, WEIGHTS), optional=("onnx/sampler.onnx",))
    loaded = load(run, device)
    if loaded.device.type not in ("cpu", "cuda"):
        raise UsageError(f"--device {device}: speeds are measured on cpu and cuda")
    # Lines, as a bar draws itself in between and would be timed too.
    names = [name for name in BACKENDS if name in (backends or BACKENDS)]
    found = bench(loaded, names, sizes, seconds, Lines())
    # Said before the plot is drawn: a full disk costs the plot alone.
    if as_json:
        echo_json(report.as_json(found) | {"picture": None if out is None else str(out)})
    else:
        click.echo(report.table(found))
    if out is not None:
        from zoo_onnx.bench.figure import save_figure

        save_figure(out, found)
        if not as_json:
            click.echo(f"picture: {out}")


def parse_sizes(text: str) -> list[int]:
    """``"1,4,16"`` in rising order, each once. Raises UsageError for what is no number from 1 to
    65,536."""
    found = set()
    for part in text.split(","):
        if not part.strip().isdecimal() or not 1 <= int(part) <= MOST:
            raise UsageError(
                f"--batch-sizes {text}: {part.strip()!r} is no number from 1 to {MOST:,}; give "
                "numbers with commas between them, 1,4,16 say"
            )
        found.add(int(part))
    return sorted(found)
