"""The folder of a run that is shown without its weights: card, pictures, metrics."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tables import DATA, data_of, sentence, wrapped

from zoo.api import load
from zoo.report.card import new_card, read_summary
from zoo.report.grids import grid
from zoo.runs.folder import CARD, EVALUATION, GRID
from zoo.system.files import replacing, write_text

PICTURES, COLUMNS = 40, 8
"""The first so many of seed 0: about 50 kB where they are as grainy as can be."""


def write_card(results: Mapping[str, Any], record: Mapping[str, Any], run: Path, to: Path) -> None:
    """Write README.md, samples/grid.png and metrics.json of ``run`` into the folder ``to``."""
    loaded = load(run, "cpu")
    folder = f"runs/reference/{record['name']}"
    name = to.name
    summary = replace(read_summary(run, loaded.host.owner), name=name)
    # The weights are not beside this card: they are where the commands below put them.
    text = new_card(summary).replace('zoo.load(".")', f'zoo.load("{folder}")')
    text = (
        text.replace("), in this folder:", "):")
        .replace(f"{name}: ", "")
        .replace(f" on {record['data']}\n", f" on {DATA.get(record['data'], record['data'])}\n")
    )
    head, mark, citation = text.partition("## Citation\n")
    write_text(to / CARD, head + _section(results, record) + "\n" + mark + citation)
    with replacing(to / GRID) as beside:
        grid(loaded.sample(PICTURES).numpy(), COLUMNS).save(beside, "PNG", optimize=True)
    with replacing(to / EVALUATION) as beside:
        shutil.copyfile(run / EVALUATION, beside)


def folder_of(record: Mapping[str, Any]) -> str:
    """``"glow-mnist"``, with the preset of a model that has two on the same data."""
    name, data = record["name"], record["data"].replace("_", "-")
    return name if name.endswith(data) or data in name else f"{name}-{data}"


def _section(results: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    lines = [
        "## A reference run",
        "",
        f"The pictures above are the first {PICTURES} of seed 0.",
        "",
    ]
    if record["round_trip"]:
        trip = record["round_trip"]
        lines += [
            wrapped(
                f"The first {trip['pictures']} test pictures, encoded and decoded again, differ "
                f"from what they were by {trip['largest']:.1e} at most, of 0 to 1."
            ),
            "",
        ]
    same = [one for one in results["anchors"] if data_of(one) == data_of(record)]
    if same:
        lines += [
            "What the distances are for pictures that no model drew, in the same features:",
            "",
            "| | FID-CNN | KID-CNN | precision-CNN | recall-CNN |",
            "|---|--:|--:|--:|--:|",
        ]
        for one in same:
            keys = ("fid_cnn", "kid_cnn", "precision_cnn", "recall_cnn")
            lines.append(f"| {' | '.join([one['kind'], *(f'{one[key]:.4f}' for key in keys)])} |")
        lines += ["", *(f"- {one['kind']}: {one['protocol']}" for one in same), ""]
    published = f"The paper's metric: {record['published']}."
    if record["note"]:
        published += f" {sentence(record['note'])}"
    lines += [wrapped(published), "", "To repeat it:", "", "```console"]
    lines += [*(f"$ {command}" for command in record["commands"]), "```"]
    return "\n".join(lines) + "\n"
