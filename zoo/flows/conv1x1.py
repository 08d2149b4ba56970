"""The invertible 1x1 convolution (Kingma and Dhariwal 2018, section 3.2)."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.flows.bijection import Kept, per_image
from zoo.flows.channelwise import Affine, Channelwise
from zoo.flows.gradients import Gradients


class Invertible1x1(Channelwise):
    """y = W x at every pixel; log-determinant H * W * log|det W| (paper, eq. 9).

    W starts as a random rotation. Its inverse is computed in float64 at any precision.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(random_rotation(channels))

    def matrix(self) -> Tensor:
        """W, ``[C, C]``."""
        return self.weight

    def log_abs_det(self) -> Tensor:
        """log|det W|, a scalar in nats."""
        return torch.linalg.slogdet(self.matrix())[1]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(x.device.type, enabled=False):
            y = _at_every_pixel(self.matrix(), x)
            return y, per_image(self.log_abs_det() * (x.shape[2] * x.shape[3]), x)

    def inverse(self, y: Tensor) -> Tensor:
        with torch.autocast(y.device.type, enabled=False):
            return _at_every_pixel(_inverse(self.matrix()).to(y.dtype), y)

    def backward_through(
        self, y: Tensor, grad_y: Tensor, grad_log_det: Tensor, kept: Kept, gradients: Gradients
    ) -> tuple[Tensor, Tensor]:
        with torch.autocast(y.device.type, enabled=False):
            with torch.enable_grad():
                matrix, log_abs_det = self.matrix(), self.log_abs_det()
            x = _at_every_pixel(_inverse(matrix.detach()).to(y.dtype), y)
            grad_x = _at_every_pixel(matrix.detach().T, grad_y)
            grad_matrix = _pixels(grad_y).T @ _pixels(x)
            grad_log_abs_det = grad_log_det.sum() * (y.shape[2] * y.shape[3])
            gradients.add_through(self, [matrix, log_abs_det], [grad_matrix, grad_log_abs_det])
            return x, grad_x

    def affine(self) -> Affine:
        matrix = copy.deepcopy(self).double().matrix().detach()
        return Affine(matrix, matrix.new_zeros(len(matrix)))


class InvertibleLU1x1(Invertible1x1):
    """The 1x1 convolution with W = P L (U + diag(s)) (paper, eq. 10), log|det W| = sum(log|s|).

    P and the signs of s are fixed by the random rotation. L is unit lower triangular and U strictly
    upper triangular, so W can never become singular.
    """

    permutation: Tensor
    sign: Tensor
    identity: Tensor

    def __init__(self, channels: int) -> None:
        nn.Module.__init__(self)
        permutation, lower, upper = torch.linalg.lu(random_rotation(channels))
        diagonal = upper.diagonal()
        self.register_buffer("permutation", permutation)
        self.register_buffer("sign", diagonal.sign())
        self.register_buffer("identity", torch.eye(channels), persistent=False)
        self.lower = nn.Parameter(lower.tril(-1))
        self.upper = nn.Parameter(upper.triu(1))
        self.log_diagonal = nn.Parameter(diagonal.abs().log())

    def matrix(self) -> Tensor:
        lower = self.lower.tril(-1) + self.identity
        upper = self.upper.triu(1) + torch.diag(self.sign * self.log_diagonal.exp())
        return self.permutation @ lower @ upper

    def log_abs_det(self) -> Tensor:
        return self.log_diagonal.sum()


def random_rotation(channels: int) -> Tensor:
    """A random orthogonal matrix ``[channels, channels]``, by QR in float64."""
    q, r = torch.linalg.qr(torch.randn(channels, channels, dtype=torch.float64))
    return (q * r.diagonal().sign()).float()


def _inverse(matrix: Tensor) -> Tensor:
    """The inverse, computed in float64."""
    # Not torch.linalg.inv, which synchronizes with the device to check for singularity.
    inverse, _ = torch.linalg.inv_ex(matrix.double())
    return inverse


def _pixels(x: Tensor) -> Tensor:
    """The channels of every pixel, ``[N * H * W, C]``."""
    return x.permute(0, 2, 3, 1).flatten(0, 2)


def _at_every_pixel(matrix: Tensor, x: Tensor) -> Tensor:
    """``matrix`` applied to the channels, as a matrix product with the channels last: for few
    channels several times faster on a CPU than a convolution. Returns ``torch.channels_last``."""
    return F.linear(x.permute(0, 2, 3, 1), matrix).permute(0, 3, 1, 2)
