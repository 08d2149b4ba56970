"""What the shifts of a coupling are counted in."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.flows.from_data import FromData, Start
from zoo.freezing import scale_outputs


class Units(FromData):
    """What the shift of each channel is counted in: with ``start="data"`` the standard deviation of
    what it shifts, over the first batch, with ``"zero"`` 1.

    Channels that vary little, a border that is nearly always black, then get shifts that are as
    small, from outputs of a network that are as large as any other's: an optimizer whose steps have
    one size for all weights, as Adam's have, would blur them.
    """

    values: Tensor

    def __init__(self, channels: int, start: Start = "data") -> None:
        super().__init__(start)
        self.register_buffer("values", torch.ones(channels))

    def choose(self, x: Tensor) -> None:
        self.values.copy_(x.var((0, 2, 3), correction=0).sqrt())

    def forward(self, shift: Tensor) -> Tensor:
        return shift * self.values[:, None, None]


def fold_units(units: Units | None, network: nn.Module) -> Units | None:
    """Freeze ``units`` into the weights of ``network.last``, the layer that a coupling's network
    ends with, where the network says so; else they stay. Shifts come first in its outputs."""
    last = getattr(network, "last", None)
    if units is None or not isinstance(last, nn.Linear | nn.Conv2d):
        return units
    scale = torch.ones(len(last.weight), dtype=torch.float64, device=last.weight.device)
    scale[: len(units.values)] = units.values
    scale_outputs(last, scale)
    return None
