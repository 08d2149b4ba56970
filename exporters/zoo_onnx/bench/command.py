"""``zoo bench RUN``: throughput of its sampler."""

from __future__ import annotations

from pathlib import Path

import click

from zoo.api import locate, read_run
from zoo.cli.group import echo_json, json_option
from zoo.cli.loading import load_network
from zoo.errors import UsageError
from zoo.runs.folder import CONFIG, WEIGHTS
from zoo.system.console import echo
from zoo.system.device import check_device_name
from zoo.system.onnxruntime import require_provider

BACKENDS = ("torch", "compile", "onnx")
MAX_BATCH = 2**16


@click.command("bench")
@click.argument("run", type=click.Path())
@click.option(
    "--batch-sizes",
    default="1,4,16,64,256",
    show_default=True,
    help="Comma-separated batch sizes.",
)
@click.option(
    "--backend",
    "backends",
    type=click.Choice(BACKENDS),
    multiple=True,
    help="torch: the network as trained; compile: the frozen sampler in torch.compile; onnx: the "
    "exported sampler in onnxruntime. Repeatable; default all.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    default=1.0,
    show_default=True,
    help="Minimum time per measurement.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="Also write a plot, a .png file."
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
    """Measure the throughput of RUN's sampler: latency and images per second of torch,
    torch.compile and onnxruntime, by batch size.

    The limit is the throughput if only the multiply-adds took time, at the rate of this machine's
    matrix products.
    """
    sizes = parse_sizes(batch_sizes)
    if out is not None and (out.suffix != ".png" or out.is_dir()):
        raise UsageError(f"-o {out}: the name of a plot ends in .png")

    if device.partition(":")[0] == "mps":
        raise UsageError(f"--device {device}: zoo bench runs on cpu and cuda")
    locate(run, (CONFIG, WEIGHTS), optional=("onnx/sampler.onnx",))
    stored = read_run(run)
    names = [name for name in BACKENDS if name in (backends or BACKENDS)]
    check_device_name(device)
    if "onnx" in names:
        require_provider()
    loaded = load_network(stored, device)

    from zoo.system.progress import Lines
    from zoo_onnx.bench import report
    from zoo_onnx.bench.speed import bench

    # Lines, because a progress bar redraws during the measurements and would be timed too.
    result = bench(loaded, names, sizes, seconds, Lines())
    # Printed before the plot is written: if that fails, the figures are not lost.
    if as_json:
        echo_json(report.as_json(result) | {"plot": None if out is None else str(out)})
    else:
        echo(*report.table(result))
    if out is not None:
        from zoo_onnx.bench.figure import save_figure

        save_figure(out, result)
        if not as_json:
            echo(f"plot: {out}")


def parse_sizes(text: str) -> list[int]:
    """Parses ``"1,4,16"`` into ascending sizes without repetition. Raises UsageError for anything
    but integers from 1 to 65,536."""
    sizes = set()
    for part in text.split(","):
        if not part.strip().isdecimal() or not 1 <= int(part) <= MAX_BATCH:
            raise UsageError(
                f"--batch-sizes {text}: {part.strip()!r} is not an integer from 1 to "
                f"{MAX_BATCH:,}; separate sizes by commas, as in 1,4,16"
            )
        sizes.add(int(part))
    return sorted(sizes)
