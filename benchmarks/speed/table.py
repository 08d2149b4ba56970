"""The tables of bench.json, as text and as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from layout import NOTHING, aligned, number
from machine import describe
from plan import MIN_BF16, Row, row_of
from results import PROTOCOL, Results

Record = Mapping[str, Any]

MIB = 2**20


def text_tables(results: Results) -> str:
    """All tables, aligned, then failures and the machine."""
    lines: list[str] = []
    for title, rows in _sections(results):
        lines += [title, "", *aligned(rows, left=_left(rows)), ""]
    return "\n".join([*lines, *notes(results)])


def markdown(results: Results) -> str:
    """All tables as a page."""
    lines = [f"# Speed on {results['machine']['hardware']['name']}", ""]
    lines += ["Written by `make bench`, as [described](../../docs/speed.md).", ""]
    for title, rows in _sections(results):
        left = _left(rows)
        lines += [f"## {title}", "", _line(rows[0])]
        lines.append(_line(["---" if index in left else "--:" for index in range(len(rows[0]))]))
        lines += [*map(_line, rows[1:]), ""]
    return "\n".join([*lines, *(f"- {note}" for note in notes(results)), ""])


def notes(results: Results) -> list[str]:
    """Failures, the protocol and the machine."""
    lines = []
    for key, record in results["rows"].items():
        result = record["result"]
        if "failed" in result:
            lines.append(f"{key}: {result['failed']}")
        if "peer_failed" in result:
            lines.append(f"{key}, {record['row']['peer']}: {result['peer_failed']}")
    rates = results["machine"]["product_flops"]
    if (bf16 := rates["bf16"] / rates["fp32"]) < MIN_BF16:
        lines.append(
            f"bf16 is emulated here: its matrix products have {bf16:.2f} of float32's rate"
        )
    if results["quick"]:
        lines.append("small networks and short measurements, as a test: do not quote these numbers")
    return [*lines, PROTOCOL, describe(results["machine"])]


def _sections(results: Results) -> Iterator[tuple[str, list[Sequence[str]]]]:
    for kind, (title, header, cells) in SECTIONS.items():
        records = [r for r in results["rows"].values() if r["row"]["kind"] == kind]
        if records:
            rows = [
                cells(row_of(record["row"]), result)
                for record in records
                for result in record["result"].get("commands", [record["result"]])
            ]
            yield title, [header, *rows]


def _training(row: Row, result: Record) -> Sequence[str]:
    peer = result.get("peer_result", {})
    head = (row.subject.model, row.subject.title, number(row.batch), row.precision, row.compile)
    if "failed" in result:
        return (*head, "failed", *[NOTHING] * 9)
    return (
        *head,
        number(result["ms"]),
        number(result["images_per_second"]),
        _ratio(result.get("of_limit"), 3),
        _mib(result.get("peak_bytes")),
        number(result["first_step_seconds"]),
        row.peer if peer else NOTHING,
        number(peer.get("images_per_second")),
        _ratio(result.get("times_peer")),
        _ratio(result.get("times_eager")),
        _mib(peer.get("peak_bytes")),
    )


def _sampling(row: Row, result: Record) -> Sequence[str]:
    peer = result.get("peer_result", {})
    head = (row.subject.model, row.subject.title, number(row.batch), row.backend)
    if "failed" in result:
        return (*head, "failed", *[NOTHING] * 5)
    return (
        *head,
        number(result["ms"]),
        number(result["images_per_second"]),
        _ratio(result.get("of_limit"), 3),
        row.peer if peer else NOTHING,
        number(peer.get("images_per_second")),
        _ratio(result.get("times_peer")),
    )


def _memory(row: Row, result: Record) -> Sequence[str]:
    changed = row.subject.changed
    head = (
        row.subject.model,
        row.memory,
        str(changed["depth"]),
        str(changed["width"]),
        number(row.batch),
    )
    if "failed" in result:
        return (*head, "failed", *[NOTHING] * 4)
    state = result["state_bytes"]
    return (
        *head,
        _mib(state["parameters"]),
        _mib(state["gradients"]),
        _mib(state["optimizer"]),
        _mib(result["rest_bytes"]),
        number(result["ms"]),
    )


def _cost(row: Row, result: Record) -> Sequence[str]:
    head = (row.subject.model, row.subject.title, row.over.rpartition(".")[2])
    if "failed" in result:
        return (*head, "failed", *[NOTHING] * 4)
    lower, upper = result["exponent_quartiles"]
    points = result["points"]
    return (
        *head,
        ", ".join(str(point["size"]) for point in points),
        ", ".join(number(point["ms"]) for point in points),
        f"{result['exponent']:.2f}",
        f"{lower:.2f} to {upper:.2f}",
        f"{result['r2']:.3f}",
    )


def _loading(row: Row, result: Record) -> Sequence[str]:
    head = (row.subject.preset, number(row.batch))
    if "failed" in result:
        return (*head, "failed", *[NOTHING] * 3)
    return (
        *head,
        number(result["images_per_second"]),
        number(result["peer_result"]["images_per_second"]),
        _ratio(result["times_peer"]),
        number(result["open_seconds"]),
    )


def _loop(row: Row, result: Record) -> Sequence[str]:
    head = (row.subject.model, row.subject.preset)
    if "failed" in result:
        return (*head, "failed", *[NOTHING] * 2)
    times = number(result["train_ms"]), number(result["bare_ms"])
    return (*head, *times, f"{result['share']:.1%}")


def _command(row: Row, result: Record) -> Sequence[str]:
    if "failed" in result:
        return ("all", "failed", *[NOTHING] * 2)
    return (
        result["command"],
        number(result["first_s"]),
        number(result["total_s"]),
        _ratio(result["of_torch"]),
    )


Cells = Callable[[Row, Record], Sequence[str]]

MODEL = ("model", "preset")
SECTIONS: dict[str, tuple[str, Sequence[str], Cells]] = {
    "training": (
        "Training",
        (
            *(*MODEL, "batch", "precision", "compile", "ms", "images/s", "of the limit"),
            *("peak MiB", "first step, s", "peer", "its images/s", "times the peer"),
            *("times eager", "its peak MiB"),
        ),
        _training,
    ),
    "sampling": (
        "Sampling",
        (
            *(*MODEL, "images", "backend", "ms", "images/s", "of the limit"),
            *("peer", "its images/s", "times the peer"),
        ),
        _sampling,
    ),
    "memory": (
        "Memory of a training step by depth",
        (
            *("model", "memory", "depth", "width", "batch", "parameters, MiB", "gradients"),
            *("optimizer", "the rest", "ms"),
        ),
        _memory,
    ),
    "cost": (
        "Cost of a training step by size",
        (*MODEL, "by", "sizes", "ms", "exponent", "quartiles", "r2"),
        _cost,
    ),
    "loading": (
        "Data loading",
        ("images", "batch", "images/s", "DataLoader's images/s", "times the DataLoader", "open, s"),
        _loading,
    ),
    "loop": (
        "The loop's own share of a step",
        (*MODEL, "zoo train, ms", "bare loop, ms", "share"),
        _loop,
    ),
    "commands": (
        "Start-up",
        ("command", "first byte, s", "process, s", "of importing torch"),
        _command,
    ),
}

LEFT = {*MODEL, "precision", "compile", "peer", "backend", "memory", "by", "command", "sizes"}
"""Columns that are left-aligned."""


def _left(rows: Sequence[Sequence[str]]) -> list[int]:
    return [index for index, name in enumerate(rows[0]) if name in LEFT or not index]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _ratio(value: float | None, digits: int = 2) -> str:
    return NOTHING if value is None else f"{value:.{digits}f}"


def _mib(value: float | None) -> str:
    return NOTHING if value is None else f"{value / MIB:,.0f}"
