"""``zoo evaluate RUN``: metrics on the test split, each with its protocol."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from zoo.api import host, read_run
from zoo.cli.group import columns, echo_json, json_option
from zoo.cli.loading import backend_option, load_network, open_exported
from zoo.config.text import read
from zoo.data.names import check_source
from zoo.errors import UsageError, ZooError
from zoo.evaluation.extractors import check_features
from zoo.evaluation.metrics import (
    DISTANCES,
    NAMES,
    check_graphs,
    check_supported,
    protocols,
    read_evaluation,
    title_of,
    write_evaluation,
)
from zoo.plugins.formats import TORCH
from zoo.system.console import echo

if TYPE_CHECKING:
    from zoo.evaluation import Evaluation
    from zoo.system.progress import Progress


@click.command("evaluate")
@click.argument("run", type=click.Path())
@click.option("--data", "source", help="Data to evaluate on; default: the training data.")
@click.option(
    "assignments",
    "--set",
    multiple=True,
    metavar="KEY=VALUE",
    help="How other data are read: data.layout, column, value_range or background.",
)
@click.option(
    "--split",
    type=click.Choice(["test", "validation", "train"]),
    default="test",
    show_default=True,
    help="Split of the data.",
)
@click.option(
    "--metric",
    "metrics",
    type=click.Choice(NAMES),
    multiple=True,
    help="Metric, may be repeated; default: all that the model supports.",
)
@click.option(
    "-n",
    "--images",
    type=click.IntRange(1),
    help="Number of images, spread evenly over the split; default: all.",
)
@click.option(
    "--samples",
    type=click.IntRange(1),
    help="Number of samples for FID, KID, precision and recall; default: as many as images, "
    "at most 10,000.",
)
@click.option(
    "--temperature",
    type=click.FloatRange(0),
    help="Temperature of the samples; default: the model's.",
)
@click.option(
    "--importance-samples",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    help="Posterior samples per image, for the importance-weighted bound.",
)
@click.option(
    "--features",
    metavar="FILE.onnx|inception",
    help="Feature network for FID, KID, precision and recall; default: a small classifier of the "
    "data, trained once and cached, for the metrics FID-CNN and so on.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Random seed.")
@backend_option
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
@json_option
def command(
    run: str,
    source: str | None,
    assignments: tuple[str, ...],
    split: str,
    metrics: tuple[str, ...],
    images: int | None,
    samples: int | None,
    temperature: float | None,
    importance_samples: int,
    features: str | None,
    seed: int,
    backend: str,
    device: str,
    as_json: bool,
) -> None:
    """Evaluate RUN on a split of its data.

    Computes likelihoods, if the model has one, and compares samples with real images. Metrics and
    protocols are written to the run's metrics.json, which keeps other metrics of the same weights.
    For a run that is not a local folder they are only printed. With `--backend onnx` samples and
    log-densities are those of the exported graphs.
    """
    settings = {}
    for text in assignments:
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--set {text}: use KEY=VALUE")
        settings[key.strip()] = read(value)
    stored = read_run(run)
    if not host().owner(stored.name).has("zoo_score"):
        check_supported(stored.name, metrics, DISTANCES)
    if backend != TORCH:
        check_graphs(stored.spec, metrics)
        open_exported(run, backend, device)
    check_features(features)
    check_source(source or stored.data_source)
    loaded = load_network(stored, device)

    from zoo.report.card import DamagedCard, write_metrics
    from zoo.system.progress import progress

    reporter = progress()
    try:
        evaluation = loaded.evaluate(
            source,
            split,
            seed,
            metrics,
            images=images,
            samples=samples,
            temperature=temperature,
            importance_samples=importance_samples,
            features=features,
            settings=settings or None,
            backend=backend,
            progress=reporter,
        )
    finally:
        reporter.close()
    for reason in dict.fromkeys(evaluation.skipped.values()):
        names = [name for name, cause in evaluation.skipped.items() if cause == reason]
        reporter.say(f"not counted: {', '.join(map(title_of, names))}, for {reason}")
    merged = evaluation
    if loaded.source is None:
        merged = _write_merged(Path(run), evaluation, reporter)
        try:
            write_metrics(Path(run), loaded.host.owner)
        except DamagedCard as error:
            reporter.say(f"the card is not updated: {error}")
    else:
        reporter.say(f"{run} is not a local folder, so the metrics are not saved")
    if as_json:
        echo_json(merged.as_json())
    else:
        echo(*table(evaluation))


def _write_merged(run: Path, evaluation: Evaluation, reporter: Progress) -> Evaluation:
    """Merges the evaluation into metrics.json and returns the result."""
    try:
        earlier = read_evaluation(run)
    except ZooError:
        reporter.say("metrics.json is damaged and is replaced")
        earlier = None
    if earlier is not None and earlier.weights != evaluation.weights:
        reporter.say("metrics.json has metrics of other weights, which are removed")
    merged = evaluation.over(earlier)
    write_evaluation(run, merged)
    return merged


def table(evaluation: Evaluation) -> list[str]:
    """Returns the metrics as lines of a table, with footnotes for their protocols."""
    texts = protocols(evaluation)
    rows = [(m.title, m.number, f"[{texts.index(str(m.protocol)) + 1}]") for m in evaluation]
    notes = [f"[{number}] {text}" for number, text in enumerate(texts, 1)]
    return columns(rows) + [line for note in notes for line in ("", note)]
