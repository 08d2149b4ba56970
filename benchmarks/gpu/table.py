"""The tables of bench.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from layout import NOTHING, aligned, number
from machine import describe

from zoo_onnx.bench.backends import TITLES

Row = Mapping[str, Any]


def tables(results: Mapping[str, Any]) -> str:
    """Returns both tables, failures, and the machine."""
    rate, device = results["matrix_rate"], results["machine"]["device"].upper()
    lines = [f"Training, on {device}", ""]
    lines += aligned(_training(results["training"], rate["of"]), left=(0, 2, 3))
    lines += ["", f"Sampling, on {device}, float32 without TF32", ""]
    lines += aligned(_sampling(results["sampling"]), left=(0, 2))
    lines += ["", *_failures([*results["training"], *results["sampling"]])]
    reached = rate["operations_per_second"] / 1e12
    lines.append(f"matrix rate: {reached:,.3f} TFLOP/s of a {rate['of']} product")
    if results["quick"]:
        lines.append("small networks and short measurements, as a test: do not quote these numbers")
    return "\n".join([*lines, describe(results["machine"])])


def _training(rows: list[Row], of: str) -> list[tuple[str, ...]]:
    heads = ("model", "batch", "trained by", "precision", "ms/step", "images/s", "speedup")
    lines: list[tuple[str, ...]] = [(*heads, "peak MiB", f"of {of} rate")]
    for row in rows:
        head = (row["model"], number(row["batch"]), row["peer"], row["precision"])
        if "failed" in row:
            lines.append((*head, *[NOTHING] * 5))
            continue
        peak = row["peak_bytes"]
        lines.append(
            (
                *head,
                number(row["step_ms"]),
                number(row["images_per_second"]),
                NOTHING if row["times_peer"] is None else f"{row['times_peer']:.2f}",
                NOTHING if peak is None else f"{peak / 2**20:,.0f}",
                f"{row['of_matrix_rate']:.3f}",
            )
        )
    return lines


def _sampling(rows: list[Row]) -> list[tuple[str, ...]]:
    lines: list[tuple[str, ...]] = [("model", "batch", "backend", "ms", "images/s", "speedup")]
    for row in rows:
        if "failed" in row:
            batch, by = row.get("batch_size"), TITLES.get(row.get("backend", ""), NOTHING)
            lines.append((row["model"], number(batch), by, *[NOTHING] * 3))
            continue
        ratio = row["times_torch"]
        lines.append(
            (
                row["model"],
                number(row["batch_size"]),
                TITLES[row["backend"]],
                number(row["latency_ms"]["median"]),
                number(row["images_per_second"]),
                NOTHING if ratio is None else f"{ratio:.2f}",
            )
        )
    return lines


def _failures(rows: list[Row]) -> list[str]:
    failures = {}
    for row in rows:
        if "failed" in row:
            by = row.get("peer") or TITLES.get(row.get("backend", ""), "sampling")
            failures[f"{row['model']}, {by}: {row['failed']}"] = None
    return list(failures)
