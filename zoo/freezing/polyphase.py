"""Transposed convolutions that double the size of an image, as plain convolutions of its phases.

A transposed convolution with kernel 4 and stride 2 computes each output pixel from four input
pixels by one of four 2x2 kernels, depending on whether row and column are even or odd. The four
images of such pixels, the phases, are plain convolutions, which run faster. A 3x3 convolution of
the output computes a pixel from adjacent pixels of the phases: on the phases, it is a transposed
convolution with kernel 4 and stride 2 again.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PHASES = ((0, 0), (0, 1), (1, 0), (1, 1))
"""Row and column of each phase, modulo two."""

_TAPS = {0: [3, 1], 1: [2, 0]}
"""Rows of the 4x4 kernel that contribute to an even and an odd row, from the top."""

_MIN_OUTPUTS = 8
"""Minimum output channels: with fewer, the convolutions are slower than the transposed one."""

ELEMENTWISE = (nn.ReLU, nn.LeakyReLU, nn.Identity)


class Phases(nn.Module):
    """``activation(doubling(x))``: ``[N, in, H, W]`` to the four phases ``[N, out, H, W]``, in the
    order of PHASES. ``doubling`` satisfies :func:`is_doubling`."""

    def __init__(self, doubling: nn.ConvTranspose2d, activation: nn.Sequential) -> None:
        super().__init__()
        self.phases = nn.ModuleList(_phase(doubling, row, column) for row, column in PHASES)
        self.activation = activation

    def forward(self, x: Tensor) -> list[Tensor]:
        phases = []
        for (row, column), phase in zip(PHASES, self.phases, strict=True):
            padded = F.pad(x, [1 - column, column, 1 - row, row])
            phases.append(self.activation(phase(padded)))
        return phases


class Doubling(nn.Module):
    """``activation(doubling(x))``: ``[N, in, H, W]`` to ``[N, out, 2H, 2W]``."""

    def __init__(self, phases: Phases) -> None:
        super().__init__()
        self.phases = phases

    def forward(self, x: Tensor) -> Tensor:
        # nn.PixelShuffle takes five times as long in onnxruntime.
        a, b, c, d = self.phases(x)
        even, odd = (torch.stack(row, dim=-1).flatten(-2) for row in ((a, b), (c, d)))
        return torch.stack((even, odd), dim=-2).flatten(-3, -2)


class DoublingAndLast(nn.Module):
    """``last(activation(doubling(x)))``: ``[N, in, H, W]`` to ``[N, out, 2H, 2W]``, without
    interleaving the phases first. ``last`` satisfies :func:`is_last`."""

    def __init__(self, phases: Phases, last: nn.Conv2d) -> None:
        super().__init__()
        self.phases = phases
        self.last = _of_phases(last)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.last(torch.cat(self.phases(x), dim=1))
        return y


def is_doubling(layer: nn.Module) -> bool:
    """Whether ``layer`` is a 4x4 transposed convolution that doubles the size, to many channels."""
    return (
        isinstance(layer, nn.ConvTranspose2d)
        and tuple(layer.kernel_size) == (4, 4)
        and tuple(layer.stride) == (2, 2)
        and tuple(layer.padding) == (1, 1)
        and tuple(layer.output_padding) == (0, 0)
        and tuple(layer.dilation) == (1, 1)
        and layer.groups == 1
        and layer.out_channels >= _MIN_OUTPUTS
    )


def is_last(layer: nn.Module) -> bool:
    """Whether ``layer`` is a 3x3 convolution that keeps the size, from many channels to few.

    Its kernel on the phases has zeros in seven of sixteen places, whose products then cost less
    than interleaving the phases.
    """
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
    conv = nn.Conv2d(doubling.in_channels, doubling.out_channels, 2, bias=bias, device="meta")
    _fill(conv, kernel.transpose(0, 1), doubling.bias)
    return conv


def _of_phases(last: nn.Conv2d) -> nn.ConvTranspose2d:
    weight = last.weight.detach()
    outputs, inputs = weight.shape[:2]
    kernel = weight.new_zeros(4, inputs, outputs, 4, 4)
    for row, column in PHASES:
        for i in range(3):
            for j in range(3):
                # The pixel under the tap: its phase, and its offset from this pixel.
                down, odd_row = divmod(row + i - 1, 2)
                right, odd_column = divmod(column + j - 1, 2)
                y, x = row + 1 - 2 * down, column + 1 - 2 * right
                kernel[2 * odd_row + odd_column, :, :, y, x] = weight[:, :, i, j].T
    bias = last.bias is not None
    conv = nn.ConvTranspose2d(4 * inputs, outputs, 4, 2, 1, bias=bias, device="meta")
    _fill(conv, kernel.flatten(0, 1), last.bias)
    return conv


def _fill(layer: nn.Conv2d | nn.ConvTranspose2d, kernel: Tensor, bias: Tensor | None) -> None:
    layer.weight = nn.Parameter(kernel.contiguous(), requires_grad=False)
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach().clone(), requires_grad=False)
