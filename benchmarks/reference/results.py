"""results.json: records of the runs, and the anchors of each dataset."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commands import evaluate_command, shell, train_command
from entries import KINDS, Entry

from zoo.errors import UsageError, ZooError
from zoo.evaluation.metrics import current_evaluation
from zoo.runs.folder import RunFolder
from zoo.system.files import write_json

if TYPE_CHECKING:
    from zoo.config.sections import DataConfig
    from zoo.data.dataset import Dataset
    from zoo.run import Run

RESULTS = "results.json"
ROUND_TRIP = 512
"""Number of test images that are encoded and decoded."""


def begun(out: Path, kind: str) -> dict[str, Any]:
    """Returns results.json of ``out``, or a new one. Raises UsageError if its runs are of another
    kind, ZooError if it is damaged."""
    path = out / RESULTS
    try:
        results: dict[str, Any] = json.loads(path.read_text("utf-8"))
        stored = results["kind"]
    except FileNotFoundError:
        return {"kind": kind, "runs": [], "anchors": []}
    except (ValueError, KeyError, TypeError):
        raise ZooError(f"{path} is damaged: remove it, and run again") from None
    if stored != kind:
        raise UsageError(f"{out} holds runs of the kind {stored}, not {kind}: name another --out")
    return results


def add(
    results: dict[str, Any], entry: Entry, source: str, folder: Path, out: Path, device: str
) -> None:
    """Adds a trained and evaluated run and its anchors to ``results``, and writes results.json;
    measurements of the same weights and features are kept."""
    from zoo.api import load

    run = load(folder, device)
    records = {record["name"]: record for record in results["runs"]}
    record = _record(entry, run)
    earlier = records.get(entry.name, {})
    if earlier.get("weights") == record["weights"]:
        record["round_trip"] = earlier["round_trip"]
    elif "log_prob" in run.spec.capabilities:
        record["round_trip"] = round_trip(
            run, _open(run.data_config(source), run.config.training.seed)
        )
    _check_features(record, results)
    records[entry.name] = record
    order = [entry.name for entry in KINDS[results["kind"]]]
    results["runs"] = [records[name] for name in order if name in records]
    _add_anchors(results, record, run, source)
    write_json(out / RESULTS, results)


def round_trip(run: Run, data: Dataset) -> dict[str, Any]:
    """The largest error of a value, from 0 to 1, after encoding and decoding at most ROUND_TRIP
    images, spread over the test split."""
    import numpy as np

    from zoo.data.spread import spread_split

    split, indices = spread_split(data.splits["test"], ROUND_TRIP)
    images = run.as_images(np.stack([split[i][0] for i in range(len(split))]))
    largest = float((run.reconstruct(images) - images).abs().max())
    return {"images": len(indices), "spread": True, "largest": largest}


def _record(entry: Entry, run: Run) -> dict[str, Any]:
    folder = run.path
    stored, last = RunFolder(folder).read_config(), RunFolder(folder).read_metrics()[-1]
    evaluation = current_evaluation(folder)
    assert evaluation is not None, "the run has just been evaluated"
    if "hardware" not in stored:
        raise UsageError(
            f"{folder}/config.json does not state the hardware of the training: remove the folder "
            "to train again"
        )
    images = RunFolder(folder).read_data_record().get("images")
    speed = last["epoch"] * images / last["seconds"] if images else None
    name = stored["config"]["data"]["source"]
    where = Path("runs/reference") / entry.name
    threads = stored["hardware"]["threads"]
    return {
        "name": entry.name,
        "model": entry.model,
        "title": run.spec.title.partition(":")[0],
        "preset": entry.preset,
        "data": name,
        "image": asdict(run.image_spec),
        "published": entry.published,
        "note": entry.note,
        "minutes": last["seconds"] / 60,
        "steps": last["step"],
        "epochs": last["epoch"],
        "images_per_second": speed,
        "parameters": sum(p.numel() for p in run.network.parameters()),
        "seed": run.config.training.seed,
        "hardware": stored["hardware"],
        "versions": stored["versions"],
        "weights": evaluation.weights,
        "metrics": [metric.as_json() for metric in evaluation],
        "round_trip": None,
        "commands": [
            f"OMP_NUM_THREADS={threads} {shell(train_command(entry, name, where))}",
            shell(evaluate_command(name, where)),
        ],
    }


def _check_features(record: Mapping[str, Any], results: Mapping[str, Any]) -> None:
    """Raises ZooError if runs on the same data were measured in different features."""
    for other in results["runs"]:
        same_data = all(other[key] == record[key] for key in ("data", "image"))
        if other["name"] == record["name"] or not same_data:
            continue
        if features_of(other) != features_of(record):
            raise ZooError(
                f"{other['name']} was measured by {features_of(other)} and {record['name']} by "
                f"{features_of(record)}: remove the metrics.json of both to measure them again"
            )


def _add_anchors(results: dict[str, Any], record: Mapping[str, Any], run: Run, source: str) -> None:
    features = features_of(record)
    if not features or any(anchor["features"] == features for anchor in results["anchors"]):
        return
    from anchors import anchors

    from zoo.system.progress import progress

    reporter = progress()
    reporter.say(f"measuring real images and noise of {record['data']}")
    try:
        measured = anchors(
            _open(run.data_config(source), run.config.training.seed), run.device, reporter
        )
    finally:
        reporter.close()
    data = {"data": record["data"], "image": record["image"]}
    others = [anchor for anchor in results["anchors"] if {key: anchor[key] for key in data} != data]
    results["anchors"] = others + [data | anchor for anchor in measured]


def features_of(record: Mapping[str, Any]) -> str:
    """The feature network of a run's distances; empty if it has none."""
    names = {
        metric["protocol"]["features"]
        for metric in record["metrics"]
        if "features" in metric["protocol"]
    }
    return next(iter(names), "")


@cache
def _open(config: DataConfig, seed: int) -> Dataset:
    from zoo.data import open_data

    return open_data(config, seed=seed)
