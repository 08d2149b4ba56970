"""ONNX: ``zoo export`` writes a run's graphs, ``zoo bench`` measures their throughput, and
:class:`OnnxModel` samples from them without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo import hookimpl

if TYPE_CHECKING:
    import click

    from zoo import Format
    from zoo_onnx.runtime import OnnxModel

__all__ = ["OnnxModel"]


def __getattr__(name: str) -> Any:
    if name == "OnnxModel":
        from zoo_onnx.runtime import OnnxModel

        return OnnxModel
    raise AttributeError(f"module 'zoo_onnx' has no attribute {name!r}")


@hookimpl
def zoo_commands(cli: click.Group) -> None:
    from zoo_onnx import command
    from zoo_onnx.bench import command as bench

    cli.add_command(command.command)
    cli.add_command(bench.command)


@hookimpl
def zoo_formats() -> list[Format]:
    from zoo_onnx.format import onnx_format

    return [onnx_format()]
