"""Fixed permutations of the channels: what came before the invertible 1x1 convolution."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from zoo.flows.bijection import Bijection
from zoo.flows.channelwise import Affine, Channelwise

MOST_BLOCKS = 4
"""Blocks of channels up to which a permutation moves them whole."""


class Permutation(Channelwise):
    """y[:, i] = x[:, order[i]]; volume preserving, so the log-determinant is 0.

    ``order`` is an integer tensor that holds 0 ... C-1 once each. It is saved with the weights.
    """

    order: Tensor
    log_det_per_pixel = 0.0

    def __init__(self, order: Tensor) -> None:
        super().__init__()
        self.register_buffer("order", order)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.index_select(1, self.order), x.new_zeros(x.shape[0])

    def inverse(self, y: Tensor) -> Tensor:
        return y.index_select(1, self.order.argsort())

    def affine(self) -> Affine:
        matrix = torch.eye(len(self.order), dtype=torch.float64, device=self.order.device)
        return Affine(matrix[self.order], matrix.new_zeros(len(matrix)))

    def frozen(self) -> nn.Module:
        return FrozenPermutation(self.order)


class FrozenPermutation(Bijection):
    """A permutation on its own, which needs no matrix."""

    log_det_per_pixel = 0.0

    def __init__(self, order: Tensor) -> None:
        super().__init__()
        self.there, self.back = _moving(order), _moving(order.argsort())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.there(x), x.new_zeros(x.shape[0])

    def inverse(self, y: Tensor) -> Tensor:
        back: Tensor = self.back(y)
        return back


def _moving(order: Tensor) -> nn.Module:
    """What moves channels into ``order``: whole blocks where that does it, since to pick many
    channels one by one takes longer than a small dense layer."""
    index = order.tolist()
    cuts = [i for i in range(1, len(index)) if index[i] != index[i - 1] + 1]
    if len(cuts) < MOST_BLOCKS:
        edges = itertools.pairwise([0, *cuts, len(index)])
        return _Blocks([(index[first], index[last - 1] + 1) for first, last in edges])
    return _Picked(order)


class _Blocks(nn.Module):
    """Blocks of channels in another order."""

    def __init__(self, blocks: list[tuple[int, int]]) -> None:
        super().__init__()
        self.blocks = blocks

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x[:, first:last] for first, last in self.blocks], dim=1)


class _Picked(nn.Module):
    """Channels one by one."""

    order: Tensor

    def __init__(self, order: Tensor) -> None:
        super().__init__()
        self.register_buffer("order", order)

    def forward(self, x: Tensor) -> Tensor:
        return x.index_select(1, self.order)


def reverse(channels: int) -> Permutation:
    """The channels in reverse order (RealNVP, Glow's ``flow_permutation=0``)."""
    return Permutation(torch.arange(channels).flip(0))


def odd_even(channels: int) -> Permutation:
    """The odd channels, counted from 1, and behind them the even ones: with one split into halves,
    neighbours are on different sides (NICE, section 5.1)."""
    order = torch.arange(channels)
    return Permutation(torch.cat([order[0::2], order[1::2]]))


def swap(channels: int) -> Permutation:
    """The second half of the channels before the first, so that the two change roles in the next
    coupling (NICE, section 3.2). Of an odd number the first half has one more."""
    return Permutation(torch.arange(channels).roll(channels // 2))


def shuffle(channels: int) -> Permutation:
    """A random fixed order of the channels (Glow's ``flow_permutation=1``)."""
    return Permutation(torch.randperm(channels))
