"""The residual networks of RealNVP's couplings (Dinh et al. 2017, section 4.1).

Details that the paper leaves open follow its official code.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.flows import WeightNormConv2d
from zoo.freezing import Freezable, ScaleAndShift, as_affine, freeze_children, scale_outputs


class CouplingNetwork(Freezable):
    """A residual network with weight normalization, ``[N, in, H, W]`` to ``[N, out, H, W]``.

    A 3x3 convolution maps the positive and negative parts of the input, and the ``mask``
    ``[1, 1, H, W]`` if given, to ``width`` feature maps. ``blocks`` residual blocks follow. The
    input of the first block and the output of each are summed through 1x1 convolutions, the skip
    connections, and a last 1x1 convolution maps the sum to the output. With ``batch_norm`` the
    input is normalized too, and doubled if a mask sets half of it to zero.
    """

    mask: Tensor | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        width: int,
        blocks: int,
        batch_norm: bool,
        mask: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.register_buffer("mask", mask, persistent=False)
        self.gain = 2.0 if batch_norm and mask is not None else 1.0
        self.norm_in = normalization(in_channels, batch_norm)
        first = 2 * in_channels + (mask is not None)
        self.conv_in = WeightNormConv2d(first, width, 3, scaled=False)
        self.blocks = nn.ModuleList(ResidualBlock(width, batch_norm) for _ in range(blocks))
        self.skips = nn.ModuleList(WeightNormConv2d(width, width, 1) for _ in range(blocks + 1))
        self.norm_out = normalization(width, batch_norm)
        self.conv_out = WeightNormConv2d(width, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm_in(x) * self.gain
        parts = [F.relu(x), F.relu(-x)]
        if self.mask is not None:
            parts.append(self.mask.to(x.dtype).expand(x.shape[0], -1, -1, -1))
        h = self.conv_in(torch.cat(parts, dim=1))
        skip, *skips = self.skips
        total = skip(h)
        for block, skip in zip(self.blocks, skips, strict=True):
            h = block(h)
            total = total + skip(h)
        return self.conv_out(F.relu(self.norm_out(total)))

    def frozen(self) -> nn.Module:
        """Folds the normalization of the sum into the skip connections."""
        norm = self.norm_out
        freeze_children(self)
        if isinstance(norm, ShiftedBatchNorm):
            scale, shift = norm.affine()
            for index, skip in enumerate(self.skips):
                scale_outputs(skip, scale, None if index else shift)
            self.norm_out = nn.Identity()
        return self


class ResidualBlock(Freezable):
    """x + conv(relu(norm(conv(relu(norm(x)))))), 3x3 convolutions of ``width`` feature maps
    (He et al. 2016, Identity mappings in deep residual networks)."""

    def __init__(self, width: int, batch_norm: bool) -> None:
        super().__init__()
        self.norm_in = normalization(width, batch_norm)
        self.conv_in = WeightNormConv2d(width, width, 3, scaled=False, bias=not batch_norm)
        self.norm_out = normalization(width, batch_norm)
        self.conv_out = WeightNormConv2d(width, width, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv_in(F.relu(self.norm_in(x)))
        return x + self.conv_out(F.relu(self.norm_out(h)))

    def frozen(self) -> nn.Module:
        """Folds the second normalization into the convolution before it."""
        norm = self.norm_out
        freeze_children(self)
        if isinstance(norm, ShiftedBatchNorm):
            scale_outputs(self.conv_in, *norm.affine())
            self.norm_out = nn.Identity()
        return self


class ShiftedBatchNorm(Freezable):
    """Batch normalization with a learned shift but no learned scale, which the next convolution
    has. Epsilon and momentum are those of the official code."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, eps=1e-4, momentum=0.1, affine=False)
        self.shift = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x) + self.shift[:, None, None]

    def affine(self) -> tuple[Tensor, Tensor]:
        """Scale and shift of each channel in evaluation mode, float64."""
        scale, shift = as_affine(self.norm)
        return scale, shift + self.shift.double()

    def frozen(self) -> nn.Module:
        return ScaleAndShift(*self.affine(), self.shift.dtype)


def normalization(channels: int, batch_norm: bool) -> nn.Module:
    return ShiftedBatchNorm(channels) if batch_norm else nn.Identity()
