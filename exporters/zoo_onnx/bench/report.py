"""The results of a benchmark as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from zoo.system.hardware import hardware_text
from zoo_onnx.bench.backends import TITLES

if TYPE_CHECKING:
    from zoo_onnx.bench.speed import Bench, Speed

HEADER = ("batch", "backend", "ms", "images/s", "of the limit", "times torch")
LEFT_COLUMNS = 2
"""Number of left-aligned columns."""


def as_json(result: Bench) -> dict[str, Any]:
    """All results; latencies in milliseconds, rates per second."""
    run = result.run
    return {
        "run": str(run.path),
        "model": run.name,
        "image_shape": list(run.image_shape),
        "temperature": run.temperature,
        "parameters": result.parameters,
        "multiply_adds": result.multiply_adds,
        "matrix_rate": {
            "operations_per_second": result.product.rate,
            "size": result.product.size,
            "by": result.product.by,
        },
        "limit_images_per_second": result.limit,
        "hardware": dict(result.hardware),
        "versions": versions(result),
        "seconds": result.seconds,
        "preparation_seconds": dict(result.preparation),
        "speeds": [_speed(speed) for speed in result.speeds],
    }


def table(result: Bench) -> list[str]:
    """A line per batch size and backend, followed by :func:`notes`."""
    rows = [HEADER]
    before = None
    for speed in result.speeds:
        batch = "" if speed.batch_size == before else str(speed.batch_size)
        before = speed.batch_size
        rows.append((batch, TITLES[speed.backend], *_cells(speed)))
    lines = _aligned(rows)
    failed = {speed.backend: speed.failed for speed in result.speeds if speed.failed}
    lines += ["", *(f"{TITLES[name]} failed: {reason}" for name, reason in failed.items())]
    return [*lines, *notes(result)]


def notes(result: Bench) -> list[str]:
    """Model, limit, preparation and protocol."""
    run, product = result.run, result.product
    channels, height, width = run.image_shape
    preparation = ", ".join(
        f"{TITLES[name]} {seconds:.1f} s" for name, seconds in result.preparation.items()
    )
    libraries = ", ".join(f"{name} {number}" for name, number in versions(result).items())
    lines = [
        f"{run.name}, {channels}x{height}x{width}: {result.parameters:,} parameters, "
        f"{result.multiply_adds:,} multiply-adds per image"
    ]
    if result.limit:
        lines.append(
            f"limit: {result.limit:,.0f} images/s, at {product.rate / 1e9:,.1f} GFLOP/s of a "
            f"float32 product of {product.size:,} rows by {product.by}"
        )
    return [
        *lines,
        f"preparation: {preparation}",
        f"{hardware_text(result.hardware)}; {libraries}; temperature {run.temperature:g}; "
        f"medians of {result.seconds:g} s",
    ]


def versions(result: Bench) -> dict[str, str]:
    """Versions of genzoo and of the backends' libraries."""
    import torch

    known = {"torch": torch.__version__}
    if any(speed.backend == "onnx" for speed in result.speeds):
        import onnxruntime

        known["onnxruntime"] = onnxruntime.__version__
    return {"genzoo": version("genzoo"), **known}


def _speed(speed: Speed) -> dict[str, Any]:
    key = {"backend": speed.backend, "batch_size": speed.batch_size}
    if speed.timing is None:
        return {**key, "failed": speed.failed}
    calls = speed.timing.calls
    lower, upper = speed.timing.quartiles()
    latencies = {"lower_quartile": lower, "upper_quartile": upper, "min": min(calls)}
    latencies = {"median": speed.timing.median, **latencies, "max": max(calls)}
    return {
        **key,
        "latency_ms": {name: 1000 * seconds for name, seconds in latencies.items()},
        "calls": len(calls),
        "rounds": len(speed.timing.rounds),
        "images_per_second": speed.images_per_second,
        "of_limit": speed.of_limit,
        "times_torch": speed.times_torch,
    }


def _cells(speed: Speed) -> tuple[str, str, str, str]:
    if speed.timing is None:
        return "failed", "-", "-", "-"
    rate, of_limit = speed.images_per_second, speed.of_limit
    assert rate is not None
    return (
        _number(1000 * speed.timing.median),
        _number(rate),
        "-" if of_limit is None else f"{of_limit:.3f}",
        "-" if speed.times_torch is None else f"{speed.times_torch:.2f}",
    )


def _number(value: float) -> str:
    """At least three digits."""
    return f"{value:,.{0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3}f}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if i < LEFT_COLUMNS else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
