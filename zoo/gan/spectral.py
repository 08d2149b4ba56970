"""Spectral normalization: weights divided by their largest singular value (Miyato et al. 2018,
Spectral Normalization for Generative Adversarial Networks).

``torch.nn.utils.parametrizations.spectral_norm`` iterates at every forward pass in training mode.
A critic update has two or three of them, so real and generated images would be scored by different
weights. It also computes in bfloat16 under CUDA's autocast, and copies its vectors at each forward
pass. Here the vectors change only when :func:`iterate_power` is called, once after each update as
in the paper's algorithm 1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.nn.utils import parametrize

FIRST_ITERATIONS = 20
"""Power iterations on the initial weights, so that the first steps are normalized too."""


class SpectralNorm(nn.Module):
    """W / sigma(W), as a parametrization of a weight (paper, eq. 8).

    W is the weight as a matrix with one row per output, ``[outputs, rest]``; ``axis`` is the
    weight's output axis. sigma is estimated as u' W v, where the buffers ``u`` and ``v`` are unit
    vectors that approximate W's first singular vectors; gradients pass through it with u and v held
    fixed (paper, eq. 12). It is computed in the weight's own precision, also under autocast.

    For a convolution this bounds the map from the pixels under the kernel to the outputs at one
    position. The norm of the whole convolution may be larger by up to the square root of the number
    of kernel pixels.
    """

    u: Tensor
    v: Tensor

    def __init__(self, weight: Tensor, axis: int = 0) -> None:
        super().__init__()
        self.axis = axis
        matrix = self._matrix(weight.detach())
        self.register_buffer("u", normalize(torch.randn_like(matrix[:, 0]), dim=0))
        self.register_buffer("v", torch.zeros_like(matrix[0]))
        for _ in range(FIRST_ITERATIONS):
            self.iterate(weight)

    def forward(self, weight: Tensor) -> Tensor:
        with torch.autocast(weight.device.type, enabled=False):
            return weight / self.sigma(weight)

    def sigma(self, weight: Tensor) -> Tensor:
        """The estimate of the largest singular value, a scalar."""
        return torch.dot(self.u, torch.mv(self._matrix(weight), self.v))

    @torch.no_grad()
    def iterate(self, weight: Tensor) -> None:
        """One power iteration (paper, algorithm 1, line 1)."""
        matrix = self._matrix(weight)
        self.v.copy_(normalize(torch.mv(matrix.t(), self.u), dim=0))
        self.u.copy_(normalize(torch.mv(matrix, self.v), dim=0))

    def _matrix(self, weight: Tensor) -> Tensor:
        return weight.movedim(self.axis, 0).flatten(1)


def spectral_norm(network: nn.Module) -> None:
    """Normalizes the weight of each dense and convolutional layer in ``network``.

    Call it after the weights are initialized. The initial ``u`` is drawn from torch's global
    generator.
    """
    for layer in list(network.modules()):
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            norm = SpectralNorm(layer.weight, 1 if isinstance(layer, nn.ConvTranspose2d) else 0)
            parametrize.register_parametrization(layer, "weight", norm)


def iterate_power(network: nn.Module) -> None:
    """Runs one power iteration for each normalized weight in ``network``, if there are any.

    Call it after each update of the network, not between a forward pass and its backward pass. It
    depends on the weights alone, so processes with equal weights stay equal.
    """
    for module in network.modules():
        if isinstance(module, parametrize.ParametrizationList):
            for parametrization in module:
                if isinstance(parametrization, SpectralNorm):
                    parametrization.iterate(module.original)
