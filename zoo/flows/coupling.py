"""Coupling layers: one part of an image shifts and scales the other (Dinh et al. 2014 and 2016)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.flows.bijection import Bijection, Kept, in_dtype_of
from zoo.flows.gradients import Gradients, through_second_half
from zoo.flows.units import Units, fold_units
from zoo.freezing import Freezable, freeze_children


class Scale(nn.Module):
    """The scale s of a coupling: ``forward(raw)`` returns log s of a network's raw outputs."""

    def forward(self, raw: Tensor) -> Tensor:
        raise NotImplementedError

    def reciprocal(self, raw: Tensor) -> Tensor:
        """1 / s."""
        return torch.exp(-self(raw))


class TanhScale(Scale):
    """log s = tanh(r): s is in (0.368, 2.718), and 1 where r is 0."""

    def forward(self, raw: Tensor) -> Tensor:
        return torch.tanh(raw)


class LearnedTanhScale(Scale):
    """log s = a tanh(r) with one learned a (RealNVP, section 4.1): s is between exp(-|a|) and
    exp(|a|)."""

    def __init__(self, start: float = 1.0) -> None:
        super().__init__()
        self.bound = nn.Parameter(torch.tensor(start))

    def forward(self, raw: Tensor) -> Tensor:
        return self.bound * torch.tanh(raw)


class SigmoidScale(Scale, Freezable):
    """s = sigmoid(r + 2), in (0, 1), as in Glow's official code.

    s has no lower bound: at 32 steps a level some inverses of a trained network overflow.
    """

    def forward(self, raw: Tensor) -> Tensor:
        return F.logsigmoid(raw + 2)

    def frozen(self) -> nn.Module:
        return FrozenSigmoidScale()


class FrozenSigmoidScale(Scale):
    """A :class:`SigmoidScale` without overflow in intermediate values: exporters write torch's own
    as the logarithm of a sigmoid, which may be 0."""

    def forward(self, raw: Tensor) -> Tensor:
        raw = raw + 2
        return raw.clamp(max=0) - torch.log1p(torch.exp(-raw.abs()))

    def reciprocal(self, raw: Tensor) -> Tensor:
        return torch.exp(-2 - raw) + 1


class Coupling(Bijection):
    """The network of a coupling and its scale; additive where ``scale`` is None."""

    regions: ClassVar[tuple[str, ...]] = ("network",)

    def __init__(self, network: nn.Module, scale: Scale | None) -> None:
        super().__init__()
        self.network, self.scale = network, scale

    def shift_and_raw(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """The shift and the raw scale that the network computes from ``x``, in the dtype of ``x``:
        the halves of its output channels. An additive coupling has no raw scale."""
        outputs = in_dtype_of(x, self.network(x))
        if self.scale is None:
            return outputs, None
        shift, raw = outputs.chunk(2, dim=1)
        return shift, raw


class ChannelCoupling(Coupling):
    """y_a = x_a, y_b = (x_b + t(x_a)) * s(x_a), with a and b the halves of the channels.

    ``network`` maps x_a, ``[N, C/2, H, W]``, to the shift t, which ``units`` multiply if given, and
    with a ``scale`` to twice as many channels: t and the raw scale r (RealNVP, eq. 7, in Glow's
    order). Without a scale the coupling is additive and preserves volume (NICE, section 3.2).
    """

    def __init__(
        self, network: nn.Module, scale: Scale | None = None, units: Units | None = None
    ) -> None:
        super().__init__(network, scale)
        self.units = units
        self.log_det_per_pixel = 0.0 if scale is None else None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, dim=1)
        if self.units is not None and self.units.initializing:
            self.units.initialize(b)
        shift, log_scale = self._shift_and_log_scale(a)
        if log_scale is None:
            return torch.cat([a, b + shift], dim=1), x.new_zeros(x.shape[0])
        y = torch.cat([a, (b + shift) * log_scale.exp()], dim=1)
        return y, log_scale.sum((1, 2, 3))

    def inverse(self, y: Tensor) -> Tensor:
        a, b = y.chunk(2, dim=1)
        shift, raw = self.shift_and_raw(a)
        if self.scale is not None and raw is not None:
            b = b * self.scale.reciprocal(raw)
        return torch.cat([a, b - shift], dim=1)

    def backward_through(
        self, y: Tensor, grad_y: Tensor, grad_log_det: Tensor, kept: Kept, gradients: Gradients
    ) -> tuple[Tensor, Tensor]:
        function = self._shift_and_log_scale
        return through_second_half(self, function, y, grad_y, grad_log_det, gradients)

    def frozen(self) -> nn.Module:
        freeze_children(self)
        self.units = fold_units(self.units, self.network)
        return self

    def shift_and_raw(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        shift, raw = super().shift_and_raw(x)
        return (shift if self.units is None else self.units(shift)), raw

    def _shift_and_log_scale(self, a: Tensor) -> tuple[Tensor, Tensor | None]:
        shift, raw = self.shift_and_raw(a)
        return shift, None if self.scale is None else self.scale(raw)
