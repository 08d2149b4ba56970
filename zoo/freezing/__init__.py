"""Inference networks: training-time layers folded into plain weights, in float64."""

from zoo.freezing.frozen import (
    Freezable,
    ScaleAndShift,
    as_affine,
    freeze,
    freeze_children,
    frozen_parts,
    plain,
    scale_outputs,
)

__all__ = [
    "Freezable",
    "ScaleAndShift",
    "as_affine",
    "freeze",
    "freeze_children",
    "frozen_parts",
    "plain",
    "scale_outputs",
]
