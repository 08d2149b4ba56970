"""Folders of reference runs without their weights: card, image grid and metrics."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tables import DATA, data_of, sentence, wrapped

from zoo.api import load
from zoo.report.card import RunSummary, new_card, read_summary
from zoo.report.grids import grid
from zoo.runs.folder import CARD, EVALUATION, GRID
from zoo.system.files import replacing, write_text

IMAGES, COLUMNS = 40, 8
"""Images of the grid: about 50 kB at most."""


def write_card(results: Mapping[str, Any], record: Mapping[str, Any], run: Path, to: Path) -> None:
    """Writes README.md, samples/grid.png and metrics.json of ``run`` into the folder ``to``."""
    loaded = load(run, "cpu")
    summary = replace(read_summary(run, loaded.host.owner), name=to.name)
    write_text(to / CARD, card(summary, results, record))
    with replacing(to / GRID) as beside:
        grid(loaded.sample(IMAGES).numpy(), COLUMNS).save(beside, "PNG", optimize=True)
    with replacing(to / EVALUATION) as beside:
        shutil.copyfile(run / EVALUATION, beside)


def card(summary: RunSummary, results: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    """Returns the card of a run, with a section on how it was trained and measured.

    The weights are not beside the card, so its code loads the folder that the commands write.
    """
    data = DATA.get(record["data"], record["data"])
    text = (
        new_card(summary)
        .replace('zoo.load(".")', f'zoo.load("runs/reference/{record["name"]}")')
        .replace("), in this folder:", "):")
        .replace(f"{summary.name}: ", "")
        .replace(f" on {record['data']}\n", f" on {data}\n")
    )
    head, mark, citation = text.partition("## Citation\n")
    return head + _section(results, record, summary) + "\n" + mark + citation


def folder_of(record: Mapping[str, Any]) -> str:
    """``"glow-mnist"``; with the preset if a model has two runs on the same data."""
    name, data = record["name"], record["data"].replace("_", "-")
    return name if name.endswith(data) or data in name else f"{name}-{data}"


def _section(results: Mapping[str, Any], record: Mapping[str, Any], summary: RunSummary) -> str:
    lines = ["## Reference run", "", f"The grid shows the first {IMAGES} samples of seed 0.", ""]
    if trip := record["round_trip"]:
        count = trip["images"]
        spread = trip.get("spread")  # earlier records are of the first images
        images = (
            f"{count} test images, evenly spread," if spread else f"the first {count} test images"
        )
        text = (
            f"Encoding and decoding {images} changes a value by at most {trip['largest']:.1e}, on "
            "a scale from 0 to 1."
        )
        lines += [wrapped(text), ""]
    if anchors := [one for one in results["anchors"] if data_of(one) == data_of(record)]:
        lines += [
            "Distances of real images and of noise, in the same features:",
            "",
            "| | FID-CNN | KID-CNN | precision-CNN | recall-CNN |",
            "|---|--:|--:|--:|--:|",
        ]
        for anchor in anchors:
            keys = ("fid_cnn", "kid_cnn", "precision_cnn", "recall_cnn")
            cells = [anchor["kind"], *(f"{anchor[key]:.4f}" for key in keys)]
            lines.append(f"| {' | '.join(cells)} |")
        lines += ["", *(f"- {anchor['kind']}: {anchor['protocol']}" for anchor in anchors), ""]
    published = f"Metric of the paper: {record['published']}."
    if record["note"]:
        published += f" {sentence(record['note'])}"
    lines += [wrapped(published), ""]
    if summary.config.data.split_rule == "position":
        lines += [
            "Its validation split was chosen by position, not by the hashes of images:",
            "`--set data.split_rule=position` trains on the same splits.",
            "",
        ]
    lines += ["To reproduce it:", "", "```console"]
    lines += [*(f"$ {command}" for command in record["commands"]), "```"]
    return "\n".join(lines) + "\n"
