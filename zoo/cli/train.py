"""``zoo train MODEL``: trains a model into a run folder."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.api import host, parent_reader, train_request
from zoo.cli.group import complete_models
from zoo.config.resolve import Setting, parse_assignment
from zoo.config.sections import LIMITS
from zoo.errors import UsageError
from zoo.system.console import echo, say
from zoo.system.launcher import launched
from zoo.system.progress import progress
from zoo.system.retry import SECONDS
from zoo.training.request import Request, check_request
from zoo.training.tracking import TRACKERS

if TYPE_CHECKING:
    from zoo.run import Run


@click.command("train")
@click.argument("model", shell_complete=complete_models)
@click.option("--preset", help="Preset; default: the first, or the settings of --from.")
@click.option("--data", "source", help="A name, user/dataset, folder, parquet or .npz.")
@click.option("--config", "file", type=click.Path(path_type=Path), help="A TOML file of settings.")
@click.option("assignments", "--set", multiple=True, metavar="KEY=VALUE", help="Set any key.")
@click.option("--steps", type=int, help="Stop after this many steps.")
@click.option("--epochs", type=float, help="Stop after this many epochs.")
@click.option("--minutes", type=float, help="Stop after this many minutes.")
@click.option("--batch-size", type=int, help="Images per step.")
@click.option("--seed", type=int, help="Random seed.")
@click.option("--precision", help="auto, fp32 or bf16.")
@click.option("--compile", help="auto, on or off: torch.compile.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Run folder; default: runs/MODEL-DATA."
)
@click.option("--resume", is_flag=True, help="Resume the run in --out.")
@click.option(
    "--accept-changes", is_flag=True, help="Resume though config.json or the data were changed."
)
@click.option(
    "--from",
    "parent",
    metavar="RUN",
    help="Start from the weights of RUN; its settings are the defaults.",
)
@click.option("--from-partial", is_flag=True, help="Take only what fits of the weights of --from.")
@click.option(
    "--freeze",
    multiple=True,
    metavar="PATTERN",
    help="Do not train parameters of these names, such as 'encoder.*'; repeatable.",
)
@click.option(
    "--retry",
    type=click.FloatRange(0),
    default=SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="How long to try again if a file cannot be written.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
@click.option("--processes", type=click.IntRange(1), default=1, help="Number of devices.")
@click.option("--track", type=click.Choice(TRACKERS), help="Additional log.")
def command(
    model: str,
    preset: str | None,
    source: str | None,
    file: Path | None,
    assignments: tuple[str, ...],
    out: Path | None,
    resume: bool,
    accept_changes: bool,
    parent: str | None,
    from_partial: bool,
    freeze: tuple[str, ...],
    retry: float,
    device: str,
    processes: int,
    track: str | None,
    **training: Any,
) -> int:
    """Train MODEL into a run folder: weights, samples, loss curve, checkpoints, model card."""
    spec = host().spec(model)
    settings = [] if source is None else [Setting("data", "source", source, f"--data {source}")]
    settings += [
        Setting("training", key, value, f"--{key.replace('_', '-')} {value}")
        for key, value in training.items()
        if value is not None
    ]
    if freeze:
        label = " ".join(f"--freeze {pattern}" for pattern in freeze)
        settings.append(Setting("training", "freeze", list(freeze), label))
    settings += [parse_assignment(spec, text) for text in assignments]
    request = Request(
        model,
        preset,
        file,
        settings,
        out,
        resume,
        device,
        track,
        accept_changes,
        retry,
        parent,
        from_partial,
        parent_reader(),
    )
    group = launched()
    if processes > 1 and group.world == 1:
        say(f"{check_request(spec, request)}: starting {processes} processes")
        return _launch(processes)
    if processes not in (1, group.world):
        raise UsageError(
            f"--processes {processes}: a launcher started {group.world} processes; leave it out"
        )
    run = train_request(request, progress())
    if group.local_main:
        echo(f"samples: {run.path / 'samples' / 'grid.png'}")
        if not resume and (steps := steps_of_minutes(run)) is not None:
            flags: dict[str, Any] = {"preset": preset, "data": source, "config": file}
            flags |= training | dict.fromkeys(LIMITS) | {"steps": steps}
            flags |= {"device": None if device == "auto" else device}
            flags |= {"processes": None if processes == 1 else processes}
            echo(f"repeat:  {_command(model, flags, assignments)}")
        echo(f"next:    zoo sample {run.path}")
    return 0


def steps_of_minutes(run: Run) -> int | None:
    """Returns the number of steps by which ``run``, which its minutes ended, can be repeated; None
    if something else ended it, or its learning rate decayed by the clock."""
    training = run.config.training
    last = max((line["step"] for line in run.folder.read_metrics()), default=None)
    if training.minutes is None or training.decay != "none" or last == training.steps:
        return None
    return last


def _command(model: str, flags: Mapping[str, Any], assignments: Iterable[str]) -> str:
    """Returns ``zoo train`` with flags, those of None left out, and assignments but of limits."""
    limits = {key for limit in LIMITS for key in (limit, f"training.{limit}")}
    words = ["zoo", "train", model]
    for key, value in flags.items():
        words += [] if value is None else [f"--{key.replace('_', '-')}", str(value)]
    for text in assignments:
        words += [] if text.partition("=")[0].strip() in limits else ["--set", text]
    return shlex.join(words)


def _launch(processes: int) -> int:
    """Runs this command in ``processes`` processes with torch's launcher."""
    import subprocess

    arguments = sys.argv[1:]
    if "train" not in arguments:
        raise UsageError("--processes needs the command line: run zoo train")
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return subprocess.call([sys.executable, *launcher, "-m", "zoo", *arguments])
