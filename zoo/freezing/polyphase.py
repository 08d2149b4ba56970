"""A picture doubled in size by plain convolutions of its pixels, in a frozen network.

A transposed convolution with a kernel of four and a stride of two makes each pixel of its output
from four of its input, by one of four kernels of 2x2: which one depends on whether row and column
are even or odd. The four pictures of such pixels, its phases, are plain convolutions, and these run
faster. A convolution of the whole, 3x3, makes a pixel from pixels of the phases that are next to
each other, two by two: of the phases, it is a transposed convolution that doubles the size, with a
kernel of four again.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PHASES = ((0, 0), (0, 1), (1, 0), (1, 1))
"""Row and column of each phase's pixels, modulo two."""

_TAPS = {0: [3, 1], 1: [2, 0]}
"""The rows of the kernel of four that make an even and an odd row, from above."""

_FEW = 8
"""Outputs below which convolutions are slow, so that a transposed one stays what it is."""

ELEMENTWISE = (nn.ReLU, nn.LeakyReLU, nn.Identity)


class Phases(nn.Module):
    """``activation(doubling(x))`` of ``x``, ``[N, in, H, W]``, as four pictures
    ``[N, out, H, W]``, in the order of PHASES; ``doubling`` is such as :func:`is_doubling`
    describes."""

    def __init__(self, doubling: nn.ConvTranspose2d, activation: nn.Sequential) -> None:
        super().__init__()
        self.phases = nn.ModuleList(_phase(doubling, row, column) for row, column in PHASES)
        self.activation = activation

    def forward(self, x: Tensor) -> list[Tensor]:
        found = []
        for (row, column), phase in zip(PHASES, self.phases, strict=True):
            room = F.pad(x, [1 - column, column, 1 - row, row])
            found.append(self.activation(phase(room)))
        return found


class Doubling(nn.Module):
    """``activation(doubling(x))``: ``[N, in, H, W]`` to ``[N, out, 2H, 2W]``."""

    def __init__(self, phases: Phases) -> None:
        super().__init__()
        self.phases = phases

    def forward(self, x: Tensor) -> Tensor:
        # Not by nn.PixelShuffle, for which onnxruntime takes five times as long.
        a, b, c, d = self.phases(x)
        even, odd = (torch.stack(row, dim=-1).flatten(-2) for row in ((a, b), (c, d)))
        return torch.stack((even, odd), dim=-2).flatten(-3, -2)


class DoublingAndLast(nn.Module):
    """``last(activation(doubling(x)))``: ``[N, in, H, W]`` to ``[N, out, 2H, 2W]``, without pixels
    being put in order in between; ``last`` is such as :func:`is_last` describes."""

    def __init__(self, phases: Phases, last: nn.Conv2d) -> None:
        super().__init__()
        self.phases = phases
        self.last = _of_phases(last)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.last(torch.cat(self.phases(x), dim=1))
        return y


def is_doubling(layer: nn.Module) -> bool:
    """Is it a transposed convolution, 4x4, that doubles the size, to more than a few channels?"""
    return (
        isinstance(layer, nn.ConvTranspose2d)
        and tuple(layer.kernel_size) == (4, 4)
        and tuple(layer.stride) == (2, 2)
        and tuple(layer.padding) == (1, 1)
        and tuple(layer.output_padding) == (0, 0)
        and tuple(layer.dilation) == (1, 1)
        and layer.groups == 1
        and layer.out_channels >= _FEW
    )


def is_last(layer: nn.Module) -> bool:
    """Is it a convolution, 3x3, that keeps the size, of many channels to a picture's few? Then the
    products with zeros that its kernel of all phases has, seven of sixteen, are cheaper than pixels
    put in order."""
    return (
        isinstance(layer, nn.Conv2d)
        and tuple(layer.kernel_size) == (3, 3)
        and tuple(layer.stride) == (1, 1)
        and layer.padding in (1, (1, 1), "same")
        and layer.padding_mode == "zeros"
        and tuple(layer.dilation) == (1, 1)
        and layer.groups == 1
        and 4 * layer.out_channels <= layer.in_channels
    )


def _phase(doubling: nn.ConvTranspose2d, row: int, column: int) -> nn.Conv2d:
    kernel = doubling.weight.detach()[:, :, _TAPS[row]][:, :, :, _TAPS[column]]
    bias = doubling.bias is not None
    made = nn.Conv2d(doubling.in_channels, doubling.out_channels, 2, bias=bias, device="meta")
    _fill(made, kernel.transpose(0, 1), doubling.bias)
    return made


def _of_phases(last: nn.Conv2d) -> nn.ConvTranspose2d:
    weight = last.weight.detach()
    outputs, inputs = weight.shape[:2]
    kernel = weight.new_zeros(4, inputs, outputs, 4, 4)
    for row, column in PHASES:
        for i in range(3):
            for j in range(3):
                # The pixel that the tap meets: its phase, and its place next to this one's.
                down, odd_row = divmod(row + i - 1, 2)
                right, odd_column = divmod(column + j - 1, 2)
                y, x = row + 1 - 2 * down, column + 1 - 2 * right
                kernel[2 * odd_row + odd_column, :, :, y, x] = weight[:, :, i, j].T
    bias = last.bias is not None
    made = nn.ConvTranspose2d(4 * inputs, outputs, 4, 2, 1, bias=bias, device="meta")
    _fill(made, kernel.flatten(0, 1), last.bias)
    return made


def _fill(layer: nn.Conv2d | nn.ConvTranspose2d, kernel: Tensor, bias: Tensor | None) -> None:
    layer.weight = nn.Parameter(kernel.contiguous(), requires_grad=False)
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach().clone(), requires_grad=False)
