"""Weights of another run for a network: those that fit, and those that do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.runs.weights import consistent, read_tensors, tensor_shapes

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Misfit:
    """A tensor of the file, or of the network, that the other one has not, or has in another shape
    or type; None where it is missing."""

    name: str
    stored: str | None
    own: str | None

    def __str__(self) -> str:
        if self.own is None:
            return f"{self.name} {self.stored} is not in the network"
        if self.stored is None:
            return f"{self.name} {self.own} is not in the weights"
        return f"{self.name} is {self.stored}, not {self.own}"


@dataclass(frozen=True)
class Fitting:
    """The tensors of a file that fit a network, its SHA-256, and what does not fit.

    A layer of which a tensor does not fit is ``left_out`` as a whole, with the layers below it, so
    that statistics never meet the weights of another layer: the names of all these tensors, and of
    those that the network has not.
    """

    tensors: dict[str, Tensor]
    digest: str
    misfits: Sequence[Misfit]
    left_out: Sequence[str]


def read_fitting(network: nn.Module, path: Path) -> Fitting:
    """Reads the tensors of a file that fit ``network``, and changes nothing.

    Only these are read. Raises ZooError for a file that is not safetensors.
    """
    state = network.state_dict()

    def read() -> tuple[dict[str, Tensor], list[Misfit], list[str]]:
        shapes = tensor_shapes(path)
        misfits = [
            Misfit(name, _shape(shapes.get(name)), _shape(own))
            for name in [*state, *(name for name in shapes if name not in state)]
            if (own := [*state[name].shape] if name in state else None) != shapes.get(name)
        ]
        different = {misfit.name for misfit in misfits}
        tensors = read_tensors(path, [name for name in state if name not in different])
        for name, tensor in tensors.items():
            if tensor.dtype != state[name].dtype:
                kinds = (str(t.dtype).removeprefix("torch.") for t in (tensor, state[name]))
                misfits.append(Misfit(name, *kinds))
        left_out = _left_out([*state], misfits)
        fitting = {name: tensor for name, tensor in tensors.items() if name not in left_out}
        return fitting, misfits, left_out

    (tensors, misfits, left_out), digest = consistent(path, read)
    return Fitting(tensors, digest, misfits, left_out)


def _left_out(names: Sequence[str], misfits: Sequence[Misfit]) -> list[str]:
    own, foreign = set(names), [m.name for m in misfits if m.own is None]
    wrong = {misfit.name for misfit in misfits} & own
    layers = {f"{layer}." for name in wrong if (layer := name.rpartition(".")[0])}
    return [
        *(name for name in names if name in wrong or any(map(name.startswith, layers))),
        *foreign,
    ]


def _shape(shape: Sequence[int] | None) -> str | None:
    return None if shape is None else str([*shape])
