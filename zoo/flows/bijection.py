"""What every layer of a flow is: a bijection that knows the log-determinant of its Jacobian."""

from __future__ import annotations

from torch import Tensor, nn

from zoo.freezing import Freezable, freeze_children


class Bijection(Freezable):
    """An invertible map between image tensors of equal size.

    ``forward(x)`` takes ``[N, C, H, W]`` and returns ``(y, log_det)``: the output, and per image
    the log-determinant of the Jacobian dy/dx in nats, shape ``[N]``. ``inverse(y)`` gives ``x``
    back. By the change of variables, log p(x) = log p(y) + log_det (Dinh et al. 2014, eq. 2).

    A frozen bijection is one too. Unless it says otherwise, it is the same with frozen layers.
    """

    log_det_per_pixel: float | None = None
    """The log-determinant over H * W, where it is known without looking at x."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def inverse(self, y: Tensor) -> Tensor:
        raise NotImplementedError

    def frozen(self) -> nn.Module:
        return freeze_children(self)


def per_image(log_det: Tensor, x: Tensor) -> Tensor:
    """A log-determinant that is the same for every image of ``x``, as ``[N]``."""
    return log_det.expand(x.shape[0])


def in_dtype_of(x: Tensor, said: Tensor) -> Tensor:
    """What a network said, in the dtype of ``x``; no operation where it has that already."""
    return said if said.dtype == x.dtype else said.to(x.dtype)
