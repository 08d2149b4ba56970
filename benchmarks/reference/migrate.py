"""Rewrites the published results of format version 1 with today's names and words.

    python benchmarks/reference/migrate.py

Reads model_cards/reference and benchmarks/glow_study, and writes their JSON, cards and tables, and
the table of the README, with today's writers. Nothing is measured: each file must keep its numbers.
Repeating the command changes nothing.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from cards import card, folder_of
from entries import KINDS
from publish import PLACE, filled
from results import RESULTS
from tables import markdown, summary

from zoo.api import host
from zoo.config.resolve import sectioned_settings, validate
from zoo.evaluation.metrics import Evaluation, parse_evaluation
from zoo.model import build
from zoo.report.card import RunSummary
from zoo.report.card.metrics import CardMetrics
from zoo.runs.folder import CARD, EVALUATION
from zoo.runs.upgrade import upgraded_config
from zoo.specs import ImageSpec
from zoo.system.files import write_json, write_text
from zoo.system.hardware import hardware_text

ROOT = Path(__file__).parents[2]
STUDY = Path("benchmarks/glow_study")

WORDS = {
    "an upper bound by one uniform dequantisation draw a picture": "an upper bound with one "
    "uniform dequantization noise per image",
    "importance weights a picture": "importance weights per image",
    "by one draw of the posterior a picture and the KL in closed form": "with one posterior "
    "sample per image and the analytic KL",
    "by a Bernoulli likelihood of black and white, without dequantisation": "with a Bernoulli "
    "likelihood, without dequantization",
    "that was taught the": "trained on the",
    "pictures of levels drawn uniformly": "images of uniform random levels",
    "nearest neighbours": "nearest neighbors",
    "pictures of the": "images of the",
    "real pictures": "real images",
}
"""Phrases of protocols, in the order of replacement."""

KEYS = {"pictures": "images", "pictures_per_second": "images_per_second"}


def main() -> int:
    results = migrated_results(_read(ROOT / PLACE / RESULTS))
    texts = {PLACE / "results.md": lambda _: markdown(results)}
    texts[Path(CARD)] = lambda text: filled(text, summary(results), CARD)
    for record in results["runs"]:
        folder = PLACE / folder_of(record)
        evaluation = migrated_evaluation(_read(ROOT / folder / EVALUATION))
        _write_json(folder / EVALUATION, evaluation.as_json())
        texts[folder / CARD] = _card_writer(folder.name, results, record, evaluation)
    for path, rewrite in texts.items():
        before = (ROOT / path).read_text("utf-8")
        after = rewrite(before)
        check_same_numbers(path, measured_part(before), measured_part(after))
        write_text(ROOT / path, after)
    _write_json(PLACE / RESULTS, results)
    study = _read(ROOT / STUDY / RESULTS)
    study["runs"] = [
        run | {"test_protocol": in_todays_words(run["test_protocol"])} for run in study["runs"]
    ]
    _write_json(STUDY / RESULTS, study)
    return 0


def in_todays_words(text: str) -> str:
    """A protocol with the phrases of version 1 replaced."""
    for old, new in WORDS.items():
        text = text.replace(old, new)
    return text


def migrated_evaluation(values: Mapping[str, Any]) -> Evaluation:
    """metrics.json of either version, with its protocols in today's words."""
    evaluation = parse_evaluation(values).as_json()
    for metric in evaluation["metrics"]:
        metric["protocol"]["method"] = in_todays_words(metric["protocol"]["method"])
    return parse_evaluation(evaluation)


def migrated_results(results: Mapping[str, Any]) -> dict[str, Any]:
    """results.json of either version in today's; notes are those of the entries."""
    entries = {entry.name: entry for entry in KINDS[results["kind"]]}
    runs, anchors = [], []
    for record in results["runs"]:
        values = {KEYS.get(key, key): value for key, value in record.items()}
        if "figures" in values:
            stored = {"format_version": 1, "figures": values.pop("figures"), "skipped": {}}
        else:
            stored = {"format_version": 2, "metrics": values["metrics"], "skipped": {}}
        evaluation = migrated_evaluation(stored | {"weights": record["weights"]})
        values["metrics"] = [metric.as_json() for metric in evaluation]
        if trip := values["round_trip"]:
            values["round_trip"] = {KEYS.get(key, key): value for key, value in trip.items()}
        runs.append(values | {"note": entries[record["name"]].note})
    for anchor in results["anchors"]:
        values = {KEYS.get(key, key): value for key, value in anchor.items()}
        words = {key: in_todays_words(values[key]) for key in ("kind", "protocol")}
        anchors.append(values | words)
    return {**results, "runs": runs, "anchors": anchors}


def card_summary(
    name: str, text: str, record: Mapping[str, Any], evaluation: Evaluation
) -> RunSummary:
    """The summary of a run from its card and its record, without the run."""
    owner = host().owner(record["model"])
    match = re.search(r"```json\n(.*?)\n```", text, re.DOTALL)
    assert match is not None, f"the card of {name} has no configuration"
    config = json.loads(match[1])
    before = 3 if "split_rule" in config["data"] else 1
    config = upgraded_config({"format_version": before, "config": config})["config"]
    settings = sectioned_settings(owner.spec, config, name)
    image = ImageSpec(**record["image"])
    valid = validate(owner.spec, settings)
    rows = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", text, re.MULTILINE))
    logged = {
        key.removesuffix(" (last logged)").replace(" ", "_"): float(value)
        for key, value in rows.items()
        if key.endswith(" (last logged)")
    }
    seconds = 60 * record["minutes"]
    return RunSummary(
        name=name,
        spec=owner.spec,
        config=valid,
        image=image,
        data=record["data"],
        parameters=record["parameters"],
        latent=build(owner, valid.model, image, torch.device("cpu")).latent,
        versions=record["versions"],
        hardware=hardware_text(record["hardware"]),
        last={
            "step": record["steps"],
            "epoch": record["epochs"],
            "seconds": seconds,
            **logged,
        },
        images=round(record["images_per_second"] * seconds / record["epochs"]),
        measured=CardMetrics(evaluation.metrics),
    )


def measured_part(text: str) -> str:
    """The parts of a card that state numbers of the run; a page that is not a card whole."""
    if "## This run" not in text:
        return text
    run = text.partition("## This run")[2].partition("\n## Use")[0]
    reference = re.split(r"^## (?:A r|R)eference run$", text, maxsplit=1, flags=re.MULTILINE)[1]
    run = re.split(r"^`bits_per_dim` is", run, maxsplit=1, flags=re.MULTILINE)[0]
    return run + reference.partition("## Citation")[0]


def numbers(value: Any) -> Counter[float]:
    """How often each number occurs in a text or a JSON document; a repeated protocol counts once,
    and the format version does not."""
    if isinstance(value, str):
        found = re.findall(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?", value)
        return Counter(float(number.replace(",", "")) for number in found)
    if isinstance(value, Mapping):
        skipped = {"format_version", "protocol_text"}
        if isinstance(value.get("facts"), Mapping):
            skipped.add("protocol")  # the text, in version 1
        parts = [part for key, part in value.items() if key not in skipped]
        return sum(map(numbers, parts), Counter())
    if isinstance(value, list):
        return sum(map(numbers, value), Counter())
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Counter([float(value)])
    return Counter()


def check_same_numbers(path: Path, before: Any, after: Any) -> None:
    """Raises ValueError if a number of ``path`` changed."""
    old, new = numbers(before), numbers(after)
    if old != new:
        raise ValueError(f"{path}: lost {dict(old - new)}, gained {dict(new - old)}")


def _card_writer(
    name: str, results: Mapping[str, Any], record: Mapping[str, Any], evaluation: Evaluation
) -> Callable[[str], str]:
    return lambda text: card(card_summary(name, text, record, evaluation), results, record)


def _read(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return values


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    check_same_numbers(path, _read(ROOT / path), values)
    write_json(ROOT / path, values)


if __name__ == "__main__":
    sys.exit(main())
