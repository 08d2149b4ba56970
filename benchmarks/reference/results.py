"""results.json: what is known of each run and each set of pictures, and what has to be measured."""

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
"""So many test pictures are encoded and decoded again."""


def begun(out: Path, kind: str) -> dict[str, Any]:
    """results.json of ``out`` as it stands, or a new one. Raises UsageError where it is of runs of
    another kind, ZooError where it is damaged."""
    path = out / RESULTS
    try:
        results: dict[str, Any] = json.loads(path.read_text("utf-8"))
        before = results["kind"]
    except FileNotFoundError:
        return {"kind": kind, "runs": [], "anchors": []}
    except (ValueError, KeyError, TypeError):
        raise ZooError(f"{path} is damaged: remove it, and it is made again") from None
    if before != kind:
        raise UsageError(f"{out} holds runs of the kind {before}, not {kind}: name another --out")
    return results


def add(
    results: dict[str, Any], entry: Entry, source: str, folder: Path, out: Path, device: str
) -> None:
    """Put a trained and evaluated run into ``results``, with its anchors, and write results.json;
    what stands there and is of the same weights and features is not measured again."""
    from zoo.api import load

    run = load(folder, device)
    before = {one["name"]: one for one in results["runs"]}
    record = _record(entry, run)
    earlier = before.get(entry.name, {})
    if earlier.get("weights") == record["weights"]:
        record["round_trip"] = earlier["round_trip"]
    elif "log_prob" in run.spec.capabilities:
        record["round_trip"] = round_trip(run, _open(run.data_config(source)))
    _check_features(record, results)
    before[entry.name] = record
    order = [one.name for one in KINDS[results["kind"]]]
    results["runs"] = [before[name] for name in order if name in before]
    _add_anchors(results, record, run, source)
    write_json(out / RESULTS, results)


def round_trip(run: Run, data: Dataset) -> dict[str, Any]:
    """The largest difference, of 0 to 1, between a value of a test picture and what it is after it
    was encoded and decoded; over the first ROUND_TRIP."""
    import torch

    split = data.splits["test"]
    count = min(ROUND_TRIP, len(split))
    images = run.as_images(
        torch.stack([torch.from_numpy(split[i][0]) for i in range(count)]).numpy()
    )
    return {"pictures": count, "largest": float((run.reconstruct(images) - images).abs().max())}


def _record(entry: Entry, run: Run) -> dict[str, Any]:
    folder = run.path
    stored, last = RunFolder(folder).read_config(), RunFolder(folder).read_metrics()[-1]
    found = current_evaluation(folder)
    assert found is not None, "it has just been evaluated"
    if "hardware" not in stored:
        raise UsageError(
            f"{folder}/config.json does not say what it was trained on: remove the folder, and it "
            "is trained again"
        )
    pictures = RunFolder(folder).read_data_record().get("images")
    speed = last["epoch"] * pictures / last["seconds"] if pictures else None
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
        "pictures_per_second": speed,
        "parameters": sum(p.numel() for p in run.network.parameters()),
        "seed": run.config.training.seed,
        "hardware": stored["hardware"],
        "versions": stored["versions"],
        "weights": found.weights,
        "metrics": [metric.as_json() for metric in found],
        "round_trip": None,
        "commands": [
            f"OMP_NUM_THREADS={threads} {shell(train_command(entry, name, where))}",
            shell(evaluate_command(name, where)),
        ],
    }


def _check_features(record: Mapping[str, Any], results: Mapping[str, Any]) -> None:
    """Runs of the same pictures stand in one table: raises ZooError where their features differ."""
    for one in results["runs"]:
        same = one["name"] != record["name"] and all(one[k] == record[k] for k in ("data", "image"))
        if same and features_of(one) != features_of(record):
            raise ZooError(
                f"{one['name']} was measured by {features_of(one)} and {record['name']} by "
                f"{features_of(record)}: remove the metrics.json of both, and they are measured "
                "again"
            )


def _add_anchors(results: dict[str, Any], record: Mapping[str, Any], run: Run, source: str) -> None:
    features = features_of(record)
    if not features or any(one["features"] == features for one in results["anchors"]):
        return
    from anchors import anchors

    from zoo.system.progress import progress

    told = progress()
    told.say(f"measuring real pictures and noise of {record['data']}")
    try:
        found = anchors(_open(run.data_config(source)), run.device, told)
    finally:
        told.close()
    same = {"data": record["data"], "image": record["image"]}
    gone = [one for one in results["anchors"] if {key: one[key] for key in same} != same]
    results["anchors"] = gone + [{**same, **one} for one in found]


def features_of(record: Mapping[str, Any]) -> str:
    """The feature network that a run's distances were counted in; empty where it has none."""
    names = {
        one["protocol"]["features"] for one in record["metrics"] if "features" in one["protocol"]
    }
    return next(iter(names), "")


@cache
def _open(config: DataConfig) -> Dataset:
    from zoo.data import open_data

    return open_data(config)
