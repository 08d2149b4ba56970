"""``zoo evaluate RUN``: metrics on the test split, each with its protocol."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from zoo.cli.group import columns, echo_json, json_option
from zoo.errors import ZooError
from zoo.evaluation.metrics import NAMES, protocols, read_evaluation, title_of, write_evaluation

if TYPE_CHECKING:
    from zoo.evaluation import Evaluation
    from zoo.system.progress import Progress


@click.command("evaluate")
@click.argument("run", type=click.Path())
@click.option("--data", "source", help="Pictures to score; what the run was trained on otherwise.")
@click.option(
    "--split",
    type=click.Choice(["test", "validation", "train"]),
    default="test",
    show_default=True,
    help="Which pictures of the data.",
)
@click.option(
    "--metric",
    "metrics",
    type=click.Choice(NAMES),
    multiple=True,
    help="A metric to count, given once for each; all that the model has otherwise.",
)
@click.option(
    "-n",
    "--images",
    type=click.IntRange(1),
    help="The first so many pictures of the split; all otherwise.",
)
@click.option(
    "--samples",
    type=click.IntRange(1),
    help="Samples to draw for FID, KID, precision and recall; as many as pictures, at most "
    "10,000, otherwise.",
)
@click.option(
    "--temperature", type=click.FloatRange(0), help="Of the samples; the model's own otherwise."
)
@click.option(
    "--importance-samples",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    help="Of each picture, for the importance-weighted bound.",
)
@click.option(
    "--features",
    metavar="FILE.onnx|inception",
    help="A feature network for FID, KID, precision and recall; otherwise a small classifier of "
    "the data's own, trained once and kept in the cache, whose metrics are called FID-CNN and "
    "so on.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the draws.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
@json_option
def command(
    run: str,
    source: str | None,
    split: str,
    metrics: tuple[str, ...],
    images: int | None,
    samples: int | None,
    temperature: float | None,
    importance_samples: int,
    features: str | None,
    seed: int,
    device: str,
    as_json: bool,
) -> None:
    """Measure RUN on a split of its data.

    Likelihoods, where the model has one, and how its samples compare with real pictures. All of it
    is kept in the run's metrics.json, with how each metric was counted; metrics of an earlier
    evaluation of the same weights stay there until they are measured again. Those of a run that is
    not a folder here are printed alone.
    """
    from zoo.api import load
    from zoo.report.card import DamagedCard, write_metrics
    from zoo.system.progress import progress

    loaded = load(run, device)
    told = progress()
    try:
        found = loaded.evaluate(
            source,
            split,
            seed,
            metrics,
            images=images,
            samples=samples,
            temperature=temperature,
            importance_samples=importance_samples,
            features=features,
            progress=told,
        )
    finally:
        told.close()
    for reason in dict.fromkeys(found.skipped.values()):
        names = [name for name, why in found.skipped.items() if why == reason]
        told.say(f"not counted: {', '.join(map(title_of, names))}, for {reason}")
    whole = found
    if loaded.source is None:
        whole = _kept(Path(run), found, told)
        try:
            write_metrics(Path(run), loaded.host.owner)
        except DamagedCard as error:
            told.say(f"the card stays as it is: {error}")
    else:
        told.say(f"{run} is not a local folder, so the metrics are printed and not kept")
    if as_json:
        echo_json(whole.as_json())
    else:
        click.echo(table(found))


def _kept(run: Path, found: Evaluation, told: Progress) -> Evaluation:
    """Write metrics.json with these metrics and those that stood there."""
    try:
        earlier = read_evaluation(run)
    except ZooError:
        told.say("metrics.json was damaged and is written anew")
        earlier = None
    if earlier is not None and earlier.weights != found.weights:
        told.say("metrics.json had metrics of other weights, which are dropped")
    whole = found.over(earlier)
    write_evaluation(run, whole)
    return whole


def table(found: Evaluation) -> str:
    """The metrics, each with the number of its protocol, and the protocols."""
    known = protocols(found)
    rows = [(one.title, one.number, f"[{known.index(str(one.protocol)) + 1}]") for one in found]
    notes = [f"[{number}] {text}" for number, text in enumerate(known, 1)]
    return "\n\n".join([columns(rows), *notes])
