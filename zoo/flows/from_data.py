"""Layers whose parameters are initialized from the first batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

Start = Literal["data", "zero"]


class FromData(nn.Module):
    """A layer whose parameters are set once from the first batch, in :meth:`initialize`.

    :func:`initialize_from_data` chooses that batch, so that ``forward`` never branches on the
    value of a tensor: it calls :meth:`initialize` while ``initializing`` is set. The flag
    ``initialised`` is a buffer and saved with the weights, so a loaded network is not initialized
    again. With ``start="zero"`` the layer keeps its first parameters.
    """

    initialised: Tensor

    def __init__(self, start: Start) -> None:
        super().__init__()
        self.register_buffer("initialised", torch.tensor(start == "zero"))
        self.initializing = False

    def initialize(self, x: Tensor) -> None:
        """Sets the parameters from a batch ``[N, C, H, W]``."""
        self.set_parameters(x)
        self.initialised.fill_(True)
        self.initializing = False

    def set_parameters(self, x: Tensor) -> None:
        """The part of :meth:`initialize` that a subclass defines."""
        raise NotImplementedError


@torch.no_grad()
def initialize_from_data(network: nn.Module, forward: Callable[[], object]) -> None:
    """Calls ``forward`` once to initialize the layers of ``network`` that are not initialized yet,
    each from the values that reach it."""
    pending = [
        module
        for module in network.modules()
        if isinstance(module, FromData) and not module.initialised
    ]
    for module in pending:
        module.initializing = True
    try:
        if pending:
            forward()
    finally:
        for module in pending:
            module.initializing = False
