"""Names of the graphs of a model whose plugin has none of its own."""

from __future__ import annotations

from zoo.specs import ModelSpec

SAMPLER, ENCODER = "sampler", "encoder"


def default_graphs(spec: ModelSpec) -> tuple[str, ...]:
    """Returns the names of the graphs that :func:`zoo.export.graphs.graphs_of` writes."""
    return (SAMPLER, ENCODER) if "encode" in spec.capabilities else (SAMPLER,)
