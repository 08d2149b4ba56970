"""What was measured, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from zoo.system.hardware import hardware_text
from zoo_onnx.bench.backends import TITLES

if TYPE_CHECKING:
    from zoo_onnx.bench.speed import Bench, Speed

HEADS = ("batch", "backend", "ms", "images/s", "of the limit", "times torch")
LEFT = 2
"""Columns that are aligned to the left."""


def as_json(found: Bench) -> dict[str, Any]:
    """All of it; latencies in milliseconds, rates a second."""
    run, image = found.run, found.run.image
    return {
        "run": str(run.path),
        "model": run.name,
        "image_shape": [image.channels, image.size, image.size],
        "temperature": run.spec.temperature,
        "parameters": found.parameters,
        "multiply_adds": found.multiply_adds,
        "matrix_rate": {
            "operations_per_second": found.product.rate,
            "size": found.product.size,
            "by": found.product.by,
        },
        "limit_images_per_second": found.limit,
        "hardware": dict(found.hardware),
        "versions": versions(found),
        "seconds": found.seconds,
        "preparation_seconds": dict(found.preparation),
        "speeds": [_speed(one) for one in found.speeds],
    }


def table(found: Bench) -> str:
    """A line for each batch size and backend, and beneath it what they are to be read with."""
    rows = [HEADS]
    before = None
    for one in found.speeds:
        batch = "" if one.batch_size == before else str(one.batch_size)
        before = one.batch_size
        rows.append((batch, TITLES[one.backend], *_cells(one)))
    lines = _aligned(rows)
    failed = {one.backend: one.failed for one in found.speeds if one.failed}
    lines += ["", *(f"{TITLES[name]} failed, {why}" for name, why in failed.items())]
    return "\n".join([*lines, *notes(found)])


def notes(found: Bench) -> list[str]:
    """The model, the limit, what went before, and the protocol."""
    run, image, product = found.run, found.run.image, found.product
    shape = f"{image.channels}x{image.size}x{image.size}"
    took = ", ".join(f"{TITLES[name]} {took:.1f} s" for name, took in found.preparation.items())
    programs = ", ".join(f"{name} {number}" for name, number in versions(found).items())
    said = [
        f"{run.name}, {shape}: {found.parameters:,} parameters, {found.multiply_adds:,} "
        "multiply-adds a picture"
    ]
    if found.limit:
        said.append(
            f"limit: {found.limit:,.0f} images/s, at {product.rate / 1e9:,.1f} GFLOP/s of a "
            f"float32 product of {product.size:,} rows by {product.by}"
        )
    return [
        *said,
        f"before the first figure: {took}",
        f"{hardware_text(found.hardware)}; {programs}; temperature {run.spec.temperature:g}; "
        f"medians of {found.seconds:g} s",
    ]


def versions(found: Bench) -> dict[str, str]:
    """Those of the programs that drew."""
    import torch

    known = {"torch": torch.__version__}
    if any(one.backend == "onnx" for one in found.speeds):
        import onnxruntime

        known["onnxruntime"] = onnxruntime.__version__
    return {"genzoo": version("genzoo"), **known}


def _speed(one: Speed) -> dict[str, Any]:
    head = {"backend": one.backend, "batch_size": one.batch_size}
    if one.timing is None:
        return {**head, "failed": one.failed}
    calls = one.timing.calls
    lower, upper = one.timing.quartiles()
    spread = {"lower_quartile": lower, "upper_quartile": upper, "min": min(calls)}
    spread = {"median": one.timing.median, **spread, "max": max(calls)}
    return {
        **head,
        "latency_ms": {name: 1000 * seconds for name, seconds in spread.items()},
        "calls": len(calls),
        "rounds": len(one.timing.rounds),
        "images_per_second": one.images_per_second,
        "of_limit": one.of_limit,
        "times_torch": one.times_torch,
    }


def _cells(one: Speed) -> tuple[str, str, str, str]:
    if one.timing is None:
        return "failed", "-", "-", "-"
    rate, part = one.images_per_second, one.of_limit
    assert rate is not None
    return (
        _number(1000 * one.timing.median),
        _number(rate),
        "-" if part is None else f"{part:.3f}",
        "-" if one.times_torch is None else f"{one.times_torch:.2f}",
    )


def _number(value: float) -> str:
    """With three digits at least."""
    return f"{value:,.{0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3}f}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if i < LEFT else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
