"""A picture doubled in size and convolved, without its pixels being put in order in between.

A transposed convolution with a kernel of four and a stride of two makes each pixel of its output
from four of its input, by one of four kernels of 2x2: which one depends on whether row and column
are even or odd. The four pictures of such pixels, its phases, are plain convolutions. A convolution
of the whole is one of the phases, which leaves only its own output to be put in order.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PHASES = ((0, 0), (0, 1), (1, 0), (1, 1))
"""Row and column of each phase's pixels, modulo two."""

_TAPS = {0: [3, 1], 1: [2, 0]}
"""The rows of the kernel of four that make an even and an odd row, from above."""

ELEMENTWISE = (nn.ReLU, nn.LeakyReLU, nn.Identity)


class Polyphase(nn.Module):
    """``last(activation(doubling(x)))``: ``[N, in, H, W]`` to ``[N, out, 2H, 2W]``.

    ``doubling`` and ``last`` are such as :func:`is_doubling` and :func:`is_last` describe.
    """

    def __init__(
        self, doubling: nn.ConvTranspose2d, activation: nn.Sequential, last: nn.Conv2d
    ) -> None:
        super().__init__()
        self.phases = nn.ModuleList(_phase(doubling, row, column) for row, column in PHASES)
        self.activation = activation
        self.last = _of_phases(last)

    def forward(self, x: Tensor) -> Tensor:
        found = []
        for (row, column), phase in zip(PHASES, self.phases, strict=True):
            room = F.pad(x, [1 - column, column, 1 - row, row])
            found.append(self.activation(phase(room)))
        y: Tensor = self.last(torch.cat(found, dim=1))
        return F.pixel_shuffle(y, 2)


def is_doubling(layer: nn.Module) -> bool:
    """Is it a transposed convolution, 4x4, that doubles the size?"""
    return (
        isinstance(layer, nn.ConvTranspose2d)
        and tuple(layer.kernel_size) == (4, 4)
        and tuple(layer.stride) == (2, 2)
        and tuple(layer.padding) == (1, 1)
        and tuple(layer.output_padding) == (0, 0)
        and tuple(layer.dilation) == (1, 1)
        and layer.groups == 1
    )


def is_last(layer: nn.Module) -> bool:
    """Is it a convolution, 3x3, that keeps the size, of many channels to a picture's few? Then the
    products with zeros that its kernel of all phases has are cheaper than a disorder mended."""
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
    return _convolution(kernel.transpose(0, 1), doubling.bias, 0)


def _of_phases(last: nn.Conv2d) -> nn.Conv2d:
    weight = last.weight.detach()
    outputs, inputs = weight.shape[:2]
    kernel = weight.new_zeros(outputs, 4, 4, inputs, 3, 3)
    for to, (row, column) in enumerate(PHASES):
        for i in range(3):
            for j in range(3):
                # The pixel that the tap meets: its phase, and its place next to this one's.
                down, odd_row = divmod(row + i - 1, 2)
                right, odd_column = divmod(column + j - 1, 2)
                kernel[:, to, 2 * odd_row + odd_column, :, down + 1, right + 1] = weight[:, :, i, j]
    bias = None if last.bias is None else last.bias.detach().repeat_interleave(4)
    return _convolution(kernel.reshape(4 * outputs, 4 * inputs, 3, 3), bias, 1)


def _convolution(kernel: Tensor, bias: Tensor | None, padding: int) -> nn.Conv2d:
    outputs, inputs, size, _ = kernel.shape
    made = nn.Conv2d(inputs, outputs, size, padding=padding, bias=bias is not None, device="meta")
    made.weight = nn.Parameter(kernel.contiguous(), requires_grad=False)
    if bias is not None:
        made.bias = nn.Parameter(bias.detach().clone(), requires_grad=False)
    return made
