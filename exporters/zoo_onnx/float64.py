"""Convolutions in float64 that do not take most of the time of a comparison."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode


class FastConvolutions(TorchFunctionMode):
    """Inside, convolutions in float64 from many channels to few are matrix products, one for each
    weight of the kernel, whose results are moved and added up.

    Torch's own writes each picture down once for each weight of the kernel first, which on a CPU
    takes ten times as long where there are many channels.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        return (_conv2d if func is torch.conv2d else func)(*args, **(kwargs or {}))


def by_taps(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The convolution of ``[N, in, H, W]`` with ``[out, in, k, k]``, k odd, that keeps the size."""
    outputs, _, kernel, _ = weight.shape
    height, width = x.shape[2:]
    rows = weight.permute(2, 3, 0, 1).flatten(0, 2)
    products = (rows @ x.flatten(2)).reshape(-1, kernel, kernel, outputs, height, width)
    room = F.pad(products, [kernel // 2] * 4)
    y = sum(
        room[:, i, j, :, i : i + height, j : j + width]
        for i in range(kernel)
        for j in range(kernel)
    )
    assert isinstance(y, Tensor)
    return y if bias is None else y + bias[:, None, None]


def _conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    outputs, inputs, kernel, other = weight.shape
    plain = _pair(stride) == _pair(dilation) == (1, 1) and groups == 1
    if (
        x.dtype == torch.float64
        and kernel == other > 1
        and kernel % 2 == 1
        and outputs * kernel**2 <= inputs
        and plain
        and _pair(padding) == (kernel // 2, kernel // 2)
    ):
        return by_taps(x, weight, bias)
    return torch.conv2d(x, weight, bias, stride, padding, dilation, groups)


def _pair(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value, value)
