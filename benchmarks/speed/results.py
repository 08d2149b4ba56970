"""The results of a benchmark: bench.json, to which each row is added, and the CSV of a device."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from plan import Row, row_of

from zoo.errors import UsageError
from zoo.system.files import write_json, write_text
from zoo.system.hardware import hardware_text

JSON = "bench.json"

COLUMNS = (
    "kind",
    "model",
    "preset",
    "memory",
    "precision",
    "compile",
    "backend",
    "batch_size",
    "images_per_second",
    "ms",
    "peak_mib",
    "of_limit",
    "peer",
    "peer_images_per_second",
    "peer_peak_mib",
    "times_peer",
    "times_eager",
    "first_step_seconds",
    "gmacs_per_image",
    "rounds",
    "failed",
    "device",
    "threads",
    "genzoo",
    "torch",
    "python",
)
"""The columns of the CSV. ``of_limit`` is the fraction of the limit, ``times_peer`` how many times
as fast as the peer, and ``times_eager`` as the step without compilation: medians over rounds."""

IN_CSV = ("training", "sampling", "memory", "cost")

PROTOCOL = (
    "Each row is a process of its own. Its calls alternate in rounds, forwards and backwards in "
    "turn, with the peer's and a matrix product in the row's precision; a call is a block of steps "
    "of at least a twentieth of a second. Times are medians over rounds, ratios the medians of "
    "those of the rounds. Of the limit: the time that the multiply-adds of matrix products and "
    "convolutions alone would take at the rate of the product in the same round. Peak memory: the "
    "resident set, or CUDA's allocations, above what was there before the model was built."
)

Results = dict[str, Any]


class File:
    """bench.json of a folder: the machine, and the rows measured so far by their keys."""

    def __init__(self, folder: Path, machine: Mapping[str, Any], quick: bool = False) -> None:
        """Raises UsageError if the folder has results of another machine, of other versions, or of
        small networks instead of large ones."""
        self.path = folder / JSON
        self.values: Results = {
            "machine": dict(machine),
            "quick": quick,
            "protocol": PROTOCOL,
            "rows": {},
        }
        if self.path.exists():
            stored = json.loads(self.path.read_text("utf-8"))
            _require_equal(stored, self.values, folder)
            self.values["rows"] = stored["rows"]

    @property
    def rows(self) -> dict[str, Any]:
        rows: dict[str, Any] = self.values["rows"]
        return rows

    def add(self, row: Row, result: Mapping[str, Any]) -> None:
        """Stores the result of ``row``, on the disk too."""
        self.rows[row.key] = {"row": row.as_json(), "result": dict(result)}
        write_json(self.path, self.values)


def csv_text(results: Results) -> str:
    """The rows of ``results`` with the columns :data:`COLUMNS`, a point of a cost in a row each."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for record in results["rows"].values():
        if record["row"]["kind"] in IN_CSV:
            writer.writerows(_csv_rows(record, results["machine"]))
    return text.getvalue()


def write_csv(path: Path, results: Results) -> None:
    write_text(path, csv_text(results))


def _csv_rows(record: Mapping[str, Any], machine: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    row, result = row_of(record["row"]), record["result"]
    common = {
        "kind": row.kind,
        "model": row.subject.model,
        "preset": row.subject.title,
        "memory": row.memory or "standard",
        "precision": row.precision,
        "compile": row.compile,
        "backend": row.backend or "torch",
        "batch_size": row.batch,
        "device": machine["hardware"]["name"],
        "threads": machine["hardware"]["threads"],
        "genzoo": machine["versions"]["genzoo"],
        "torch": machine["versions"]["torch"],
        "python": machine["python"],
    }
    if row.kind == "cost" and "points" in result:
        name = row.over.rpartition(".")[2]
        for point in result["points"]:
            size = (
                {"batch_size": point["size"]}
                if name == "batch"
                else {"preset": f"{row.subject.title}, {name} {point['size']}"}
            )
            yield common | size | _measured(point)
        return
    yield common | _measured(result) | {"peer": row.peer if "peer_result" in result else ""}


def _measured(result: Mapping[str, Any]) -> dict[str, Any]:
    peer = result.get("peer_result", {})
    work = result.get("operations_per_image")
    values = {
        "images_per_second": result.get("images_per_second"),
        "ms": result.get("ms"),
        "peak_mib": _mib(result.get("peak_bytes")),
        "of_limit": result.get("of_limit"),
        "peer_images_per_second": peer.get("images_per_second"),
        "peer_peak_mib": _mib(peer.get("peak_bytes")),
        "times_peer": result.get("times_peer"),
        "times_eager": result.get("times_eager"),
        "first_step_seconds": result.get("first_step_seconds"),
        "gmacs_per_image": None if work is None else work / 2e9,
        "rounds": result.get("rounds"),
        "failed": result.get("failed", ""),
    }
    return {name: _rounded(value) for name, value in values.items()}


def _mib(value: float | None) -> float | None:
    return None if value is None else value / 2**20


def _rounded(value: Any) -> Any:
    return float(f"{value:.5g}") if isinstance(value, float) else value


def _require_equal(stored: Results, now: Results, folder: Path) -> None:
    if conditions(stored) != conditions(now):
        raise UsageError(
            f"{folder / JSON} was measured on {conditions(stored)}, and this is "
            f"{conditions(now)}: choose another folder with --out"
        )


def conditions(results: Results) -> str:
    """The machine and versions of results, in one line."""
    machine = results["machine"]
    text = f"{hardware_text(machine['hardware'])}, torch {machine['versions']['torch']}"
    return f"{text}, with --quick" if results["quick"] else text
