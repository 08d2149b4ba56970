"""Fast convolutions in float64, for the reference of a parity measurement."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode


class FastConvolutions(TorchFunctionMode):
    """Replaces float64 convolutions from many channels to few by :func:`conv_by_taps`.

    Torch's own copies each pixel's neighborhood first, which on a CPU takes ten times as long with
    many channels.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        return (_conv2d if func is torch.conv2d else func)(*args, **(kwargs or {}))


def conv_by_taps(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Convolution of ``[N, in, H, W]`` with ``[out, in, k, k]``, k odd, same size.

    One matrix product per kernel tap; the products are shifted and summed.
    """
    outputs, _, kernel, _ = weight.shape
    height, width = x.shape[2:]
    rows = weight.permute(2, 3, 0, 1).flatten(0, 2)
    products = (rows @ x.flatten(2)).reshape(-1, kernel, kernel, outputs, height, width)
    padded = F.pad(products, [kernel // 2] * 4)
    y = sum(
        padded[:, i, j, :, i : i + height, j : j + width]
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
    outputs, inputs, height, width = weight.shape
    if (
        x.dtype == torch.float64
        and height == width > 1
        and height % 2 == 1
        and outputs * height**2 <= inputs
        and _pair(stride) == _pair(dilation) == (1, 1)
        and groups == 1
        and _pair(padding) == (height // 2, height // 2)
    ):
        return conv_by_taps(x, weight, bias)
    return torch.conv2d(x, weight, bias, stride, padding, dilation, groups)


def _pair(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value, value)
