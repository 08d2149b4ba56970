"""Fixed permutations of the channels."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from zoo.flows.bijection import Bijection, Kept
from zoo.flows.channelwise import Affine, Channelwise
from zoo.flows.gradients import Gradients

MAX_BLOCKS = 4
"""Permutations of at most this many blocks of channels move the blocks as a whole."""


class Permutation(Channelwise):
    """y[:, i] = x[:, order[i]]; volume preserving, so the log-determinant is 0.

    ``order`` is an integer tensor with each of 0 ... C-1 once. It is saved with the weights.
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

    def backward_through(
        self, y: Tensor, grad_y: Tensor, grad_log_det: Tensor, kept: Kept, gradients: Gradients
    ) -> tuple[Tensor, Tensor]:
        return self.inverse(y), self.inverse(grad_y)

    def affine(self) -> Affine:
        matrix = torch.eye(len(self.order), dtype=torch.float64, device=self.order.device)
        return Affine(matrix[self.order], matrix.new_zeros(len(matrix)))

    def frozen(self) -> nn.Module:
        return FrozenPermutation(self.order)


class FrozenPermutation(Bijection):
    """A permutation that is not joined with other layers and needs no matrix."""

    log_det_per_pixel = 0.0

    def __init__(self, order: Tensor) -> None:
        super().__init__()
        self.permute, self.permute_back = _permuting(order), _permuting(order.argsort())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.permute(x), x.new_zeros(x.shape[0])

    def inverse(self, y: Tensor) -> Tensor:
        x: Tensor = self.permute_back(y)
        return x


def _permuting(order: Tensor) -> nn.Module:
    """A module that permutes channels into ``order``, by blocks where there are few: selecting many
    single channels takes longer than a small dense layer."""
    index = order.tolist()
    cuts = [i for i in range(1, len(index)) if index[i] != index[i - 1] + 1]
    if len(cuts) < MAX_BLOCKS:
        edges = itertools.pairwise([0, *cuts, len(index)])
        return _Blocks([(index[first], index[last - 1] + 1) for first, last in edges])
    return _Selection(order)


class _Blocks(nn.Module):
    """Blocks of channels in another order."""

    def __init__(self, blocks: list[tuple[int, int]]) -> None:
        super().__init__()
        self.blocks = blocks

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x[:, first:last] for first, last in self.blocks], dim=1)


class _Selection(nn.Module):
    """Single channels in another order."""

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
    """The odd channels, counted from 1, followed by the even ones: a split into halves then
    separates neighbors (NICE, section 5.1)."""
    order = torch.arange(channels)
    return Permutation(torch.cat([order[0::2], order[1::2]]))


def swap(channels: int) -> Permutation:
    """The second half of the channels followed by the first, so that they swap roles in the next
    coupling (NICE, section 3.2). If their number is odd, the first half has one more."""
    return Permutation(torch.arange(channels).roll(channels // 2))


def shuffle(channels: int) -> Permutation:
    """A random fixed order of the channels (Glow's ``flow_permutation=1``)."""
    return Permutation(torch.randperm(channels))
