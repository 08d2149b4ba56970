"""Coupling layers: one half of the channels changes the other (Dinh et al. 2014 and 2016)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.flows.bijection import Bijection, in_dtype_of
from zoo.flows.units import Units, fold_units
from zoo.freezing import freeze_children

Scale = Literal["sigmoid", "tanh"]


class LearnedTanh(nn.Module):
    """log s = a tanh(r), with one learned number a (RealNVP, section 4.1): s is between exp(-|a|)
    and exp(|a|), whatever the network says."""

    def __init__(self, start: float = 1.0) -> None:
        super().__init__()
        self.bound = nn.Parameter(torch.tensor(start))

    def forward(self, raw: Tensor) -> Tensor:
        return self.bound * torch.tanh(raw)


class LogSigmoid(nn.Module):
    """log s = log sigmoid(r + 2), written so that no number on the way overflows: what exporters
    make of torch's own takes the logarithm of a sigmoid that may be 0."""

    def forward(self, raw: Tensor) -> Tensor:
        raw = raw + 2
        return raw.clamp(max=0) - torch.log1p(torch.exp(-raw.abs()))

    def reciprocal(self, raw: Tensor) -> Tensor:
        """1 / s, without the logarithm."""
        return torch.exp(-2 - raw) + 1


class AdditiveCoupling(Bijection):
    """y_a = x_a, y_b = x_b + t(x_a) (NICE, section 3.2); volume preserving.

    ``network`` maps the first half of the channels, ``[N, C/2, H, W]``, to the shift of the rest,
    counted in ``units`` where these are given.
    """

    log_det_per_pixel = 0.0

    def __init__(self, network: nn.Module, units: Units | None = None) -> None:
        super().__init__()
        self.network = network
        self.units = units

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, dim=1)
        _listen(self.units, b)
        return torch.cat([a, b + self._shift(a)], dim=1), x.new_zeros(x.shape[0])

    def inverse(self, y: Tensor) -> Tensor:
        a, b = y.chunk(2, dim=1)
        return torch.cat([a, b - self._shift(a)], dim=1)

    def frozen(self) -> nn.Module:
        freeze_children(self)
        self.units = fold_units(self.units, self.network)
        return self

    def _shift(self, a: Tensor) -> Tensor:
        return _counted(in_dtype_of(a, self.network(a)), self.units)


class AffineCoupling(Bijection):
    """y_a = x_a, y_b = (x_b + t(x_a)) * s(x_a) (RealNVP, eq. 7, in Glow's order).

    ``network`` maps ``[N, C/2, H, W]`` to ``[N, C, H, W]``: the shift t, counted in ``units`` where
    these are given, and the raw scale r.

    - ``"tanh"``: log s = tanh(r), so s is in (0.368, 2.718) and 1 where r is 0;
    - ``"sigmoid"``: s = sigmoid(r + 2), in (0, 1), as in Glow's official code. Nothing keeps it
      from 0: at 32 steps a level some inverses of a trained network overflow;
    - a :class:`LearnedTanh`: log s = a tanh(r), as in RealNVP.
    """

    def __init__(
        self,
        network: nn.Module,
        scale: Scale | LearnedTanh = "tanh",
        units: Units | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.scale: str | nn.Module = scale
        self.units = units

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, dim=1)
        _listen(self.units, b)
        shift, raw = self._shift_and_raw(a)
        log_scale = self._log_scale(raw)
        y = torch.cat([a, (b + shift) * log_scale.exp()], dim=1)
        return y, log_scale.sum((1, 2, 3))

    def inverse(self, y: Tensor) -> Tensor:
        a, b = y.chunk(2, dim=1)
        shift, raw = self._shift_and_raw(a)
        if isinstance(self.scale, LogSigmoid):
            factor = self.scale.reciprocal(raw)
        else:
            factor = torch.exp(-self._log_scale(raw))
        return torch.cat([a, b * factor - shift], dim=1)

    def frozen(self) -> nn.Module:
        freeze_children(self)
        if self.scale == "sigmoid":
            del self.scale
            self.scale = LogSigmoid()
        self.units = fold_units(self.units, self.network)
        return self

    def _shift_and_raw(self, a: Tensor) -> tuple[Tensor, Tensor]:
        shift, raw = in_dtype_of(a, self.network(a)).chunk(2, dim=1)
        return _counted(shift, self.units), raw

    def _log_scale(self, raw: Tensor) -> Tensor:
        if isinstance(self.scale, nn.Module):
            log_scale: Tensor = self.scale(raw)
            return log_scale
        return F.logsigmoid(raw + 2) if self.scale == "sigmoid" else torch.tanh(raw)


def _listen(units: Units | None, b: Tensor) -> None:
    if units is not None and units.listening:
        units.set_from(b)


def _counted(shift: Tensor, units: Units | None) -> Tensor:
    return shift if units is None else units(shift)
