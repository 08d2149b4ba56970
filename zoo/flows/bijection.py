"""The interface of the layers of a flow."""

from __future__ import annotations

from torch import Tensor, nn

from zoo.freezing import Freezable, freeze_children


class Bijection(Freezable):
    """An invertible map between image tensors of equal size.

    ``forward(x)`` takes ``[N, C, H, W]`` and returns ``(y, log_det)``: the output, and for each
    image the log-determinant of the Jacobian dy/dx in nats, shape ``[N]``. ``inverse(y)`` returns
    x. By the change of variables, log p(x) = log p(y) + log_det (Dinh et al. 2014, eq. 2).

    A frozen bijection is a bijection too: by default, the same one with frozen children.
    """

    log_det_per_pixel: float | None = None
    """The log-determinant over H * W where it does not depend on x, else None."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def inverse(self, y: Tensor) -> Tensor:
        raise NotImplementedError

    def frozen(self) -> nn.Module:
        return freeze_children(self)


def per_channel(values: Tensor) -> Tensor:
    """``[C]`` as ``[C, 1, 1]``, to broadcast over ``[N, C, H, W]``."""
    return values[:, None, None]


def per_image(log_det: Tensor, x: Tensor) -> Tensor:
    """A log-determinant that is the same for every image of ``x``, as ``[N]``."""
    return log_det.expand(x.shape[0])


def in_dtype_of(x: Tensor, outputs: Tensor) -> Tensor:
    """``outputs`` in the dtype of ``x``, which differs under autocast; no operation otherwise."""
    return outputs if outputs.dtype == x.dtype else outputs.to(x.dtype)
