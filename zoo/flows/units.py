"""Units of a coupling's shift."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.flows.bijection import per_channel
from zoo.flows.from_data import FromData, Start
from zoo.freezing import scale_outputs


class Units(FromData):
    """Per-channel scale of a coupling's shift.

    With ``start="data"`` it is the standard deviation of the shifted channel over the first batch,
    with ``"zero"`` it is 1. Channels that vary little, such as a border that is nearly always
    black, then get equally small shifts from network outputs of ordinary size. Without units they
    are blurred by optimizers that take steps of one size for all weights, such as Adam.
    """

    values: Tensor

    def __init__(self, channels: int, start: Start = "data") -> None:
        super().__init__(start)
        self.register_buffer("values", torch.ones(channels))

    def set_parameters(self, x: Tensor) -> None:
        self.values.copy_(x.var((0, 2, 3), correction=0).sqrt())

    def forward(self, shift: Tensor) -> Tensor:
        return shift * per_channel(self.values)


def fold_units(units: Units | None, network: nn.Module) -> Units | None:
    """Folds ``units`` into the weights of ``network.last``, the last layer of a coupling's network.

    Returns None then, and ``units`` unchanged if the network has no such layer. The shift must come
    first among the outputs.
    """
    last = getattr(network, "last", None)
    if units is None or not isinstance(last, nn.Linear | nn.Conv2d):
        return units
    scale = torch.ones(len(last.weight), dtype=torch.float64, device=last.weight.device)
    scale[: len(units.values)] = units.values
    scale_outputs(last, scale)
    return None
