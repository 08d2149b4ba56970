"""Spectral normalisation: weights divided by their largest singular value (Miyato et al. 2018,
Spectral Normalization for Generative Adversarial Networks).

``torch.nn.utils.parametrizations.spectral_norm`` is near, but iterates at every forward of training
mode, of which one step of a critic has two or three; so real and drawn pictures would be scored by
different weights. Its products also run in bfloat16 under CUDA's autocast, and what it needs to
go backward twice it copies at each forward. Here the vectors move when :func:`iterate_power` is
called, once after each update as in the paper's algorithm 1, and a forward only reads them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.nn.utils import parametrize

FIRST_ITERATIONS = 20
"""Iterations on the first weights, so that the first steps are normalised as the later ones."""


class SpectralNorm(nn.Module):
    """W / sigma(W), as a parametrization of a weight (paper, eq. 8).

    W is the weight as a matrix with a row for each output, ``[outputs, rest]``; ``axis`` is the
    weight's axis of outputs. sigma is estimated as u' W v by the buffers ``u`` and ``v``, unit
    vectors that follow W's first singular vectors, and gradients go back through it with u and v
    held fixed (paper, eq. 12). It is computed in the weight's own precision, under autocast too.

    For a convolution this bounds the map from the pixels under the kernel to the outputs at one
    place; the convolution as a whole may stretch by up to the root of the kernel's pixels more.
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
    """Normalise the weight of each dense and convolutional layer inside ``network``.

    Call it when the first weights are set: it draws the first ``u`` from torch's global generator.
    """
    for layer in list(network.modules()):
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            norm = SpectralNorm(layer.weight, 1 if isinstance(layer, nn.ConvTranspose2d) else 0)
            parametrize.register_parametrization(layer, "weight", norm)


def iterate_power(network: nn.Module) -> None:
    """One power iteration of each normalised weight inside ``network``; nothing where none is.

    Call it after each update of the network, and not between a forward and its backward. It
    depends on weights alone, so several processes with the same weights stay the same.
    """
    for weights in network.modules():
        if isinstance(weights, parametrize.ParametrizationList):
            for part in weights:
                if isinstance(part, SpectralNorm):
                    part.iterate(weights.original)
