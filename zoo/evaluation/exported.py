"""A model whose images and log-densities are those of its exported graphs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from zoo.data.batch import Batch
from zoo.data.quantize import from_unit_unclamped
from zoo.errors import ZooError
from zoo.model import Likelihood, Model
from zoo.objectives import discrete_nats
from zoo.sampling.labels import Indices
from zoo.sampling.sampler import Sampler

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from zoo.specs import ExportedModel


@dataclass(frozen=True)
class Exported(Model):
    """A model that samples and scores with ``exported``, its graphs in the format
    ``backend``: from the latents and the dequantization noise that the network gets."""

    exported: Sampler[NDArray[Any]]
    backend: str

    @classmethod
    def of(cls, model: Model, graphs: ExportedModel, backend: str) -> Exported:
        """Returns ``model`` with its graphs. Raises ZooError for a format that only samples."""
        if not isinstance(graphs, Sampler):
            raise ZooError(
                f"the format {backend} cannot be evaluated: what its plugin opens is not a "
                "zoo.sampling.sampler.Sampler"
            )
        parts = model.spec, model.image_spec, model.network, model.device, model.owner
        return cls(*parts, graphs, backend)

    @property
    def chunk(self) -> int:
        return self.exported.chunk

    def score(self, batch: Batch) -> Tensor:
        """Nats of each discrete image, by the encoder's log-density at its dequantized values."""
        images = from_unit_unclamped(batch.dequantized, batch.bits).cpu().numpy()
        labels = batch.labels if self.latent.classes else None
        classes = None if labels is None else labels.cpu().numpy()
        log_prob = self.exported.encodings_unchecked(images, classes)["log_prob"]
        return discrete_nats(torch.from_numpy(log_prob).to(self.device), batch)

    def likelihood(self) -> Likelihood | None:
        return None

    def _generate(self, z: Tensor, temperature: float, labels: NDArray[np.int64] | None) -> Tensor:
        classes = None if labels is None else Indices(labels)
        images = self.exported.decode(z.numpy(), temperature=temperature, labels=classes)
        return torch.from_numpy(images)
