"""Layers that take their first values from the first batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

Start = Literal["data", "zero"]


class FromData(nn.Module):
    """A layer whose parameters are set once from the first batch that passes, in :meth:`set_from`.

    Which batch that is, is said from outside (:func:`initialize_from_data`), so that ``forward``
    never looks at a tensor's value to decide what to do: it calls :meth:`set_from` where
    ``listening``. That it has happened is a buffer: saved with the weights, so that a loaded
    network is never set anew. With ``start="zero"`` the layer stays as it was made.
    """

    initialised: Tensor

    def __init__(self, start: Start) -> None:
        super().__init__()
        self.register_buffer("initialised", torch.tensor(start == "zero"))
        self.listening = False

    def set_from(self, x: Tensor) -> None:
        """Choose the parameters by a batch ``[N, C, H, W]``."""
        self.choose(x)
        self.initialised.fill_(True)
        self.listening = False

    def choose(self, x: Tensor) -> None:
        """What :meth:`set_from` sets the parameters to."""
        raise NotImplementedError


@torch.no_grad()
def initialize_from_data(network: nn.Module, forward: Callable[[], object]) -> None:
    """Call ``forward`` once; every layer that was never set from data, is set from what reaches it
    on the way. Those that were set before, in training or before saving, stay."""
    fresh = [
        module
        for module in network.modules()
        if isinstance(module, FromData) and not module.initialised
    ]
    for module in fresh:
        module.listening = True
    try:
        if fresh:
            forward()
    finally:
        for module in fresh:
            module.listening = False
