"""Graphs of a model: modules for any batch size, for exporters.

The first dimension of an input is the batch, except for scalars. Names are the same for all models:
the inputs ``z``, ``temperature``, ``label`` and ``image``, the outputs ``image``, ``z``,
``log_prob``, ``mean`` and ``log_variance``.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from zoo.errors import ZooError
from zoo.export.names import ENCODER, SAMPLER, default_graphs
from zoo.freezing import freeze
from zoo.specs import Graph

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from zoo.model import Model

TRACED = 2
"""Batch size of example inputs; a graph must not depend on it."""


class SamplerModule(nn.Module):
    """``zoo_sample`` as a module: ``forward(z, temperature, label)`` returns images
    ``[batch, C, H, W]`` of latents ``[batch, latent.size]``; ``temperature`` is a float32 scalar,
    ``label`` int64 ``[batch]`` or None."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.network = model.network
        self._model = model

    def forward(self, z: Tensor, temperature: Tensor, label: Tensor | None = None) -> Tensor:
        return self._model.sample_hook(z, temperature, label)


class EncoderModule(nn.Module):
    """``zoo_encode`` as a module: ``forward(image, label)`` returns the tensors named ``outputs``,
    a tuple, of images ``[batch, C, H, W]`` in [0, 1]; ``label`` is as in :class:`SamplerModule`."""

    def __init__(self, model: Model, outputs: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.network, self.outputs = model.network, outputs
        self._model = model

    def forward(self, image: Tensor, label: Tensor | None = None) -> tuple[Tensor, ...]:
        encodings = self.encode(image, label)
        return tuple(encodings[name] for name in self.outputs)

    def encode(self, image: Tensor, label: Tensor | None = None) -> Mapping[str, Tensor]:
        """Returns all outputs of ``zoo_encode``, by name."""
        return self._model.encode_hook(image, label)


def graphs_of(model: Model) -> Sequence[Graph]:
    """Returns the graphs of the model's plugin (``zoo_graphs``), else the sampler and, if the model
    encodes, the encoder, of the frozen network.

    The network is put into evaluation mode. Raises ZooError for anything but a list of
    :class:`zoo.Graph`.
    """
    model.network.eval()
    if (graphs := model.graphs()) is not None:
        return graphs
    frozen = model.with_network(freeze(model.network))
    makers = {SAMPLER: sampler_graph, ENCODER: encoder_graph}
    return [makers[name](frozen) for name in default_graphs(model.spec)]


def sampler_graph(model: Model) -> Graph:
    """Returns the graph ``sampler``: ``z``, ``temperature`` and, if conditional, ``label`` to
    ``image``."""
    latent = model.latent
    device = next((tensor.device for tensor in model.network.state_dict().values()), None)
    inputs = {
        "z": torch.full((TRACED, latent.size), 0.5, device=device),
        "temperature": torch.ones((), device=device),
    }
    if latent.classes:
        inputs["label"] = torch.arange(TRACED, device=device) % latent.classes
    return Graph(name=SAMPLER, module=SamplerModule(model), inputs=inputs, outputs=("image",))


def encoder_graph(model: Model) -> Graph:
    """Returns the graph ``encoder``: ``image`` and, if conditional, ``label`` to the tensors of
    ``zoo_encode``, in its order."""
    sampler = sampler_graph(model)
    inputs = {"image": run(sampler.module, sampler, sampler.inputs)["image"]}
    if "label" in sampler.inputs:
        inputs["label"] = sampler.inputs["label"]
    encoder = EncoderModule(model)
    with torch.no_grad():
        encoder.outputs = tuple(encoder.encode(**inputs))
    return Graph(name=ENCODER, module=encoder, inputs=inputs, outputs=encoder.outputs)


def trace(graph: Graph, apart: Collection[str] = ()) -> ExportedProgram:
    """Returns the graph as a program for any batch size; each input named in ``apart`` has a batch
    size of its own.

    Raises ZooError if the module specializes on the batch size of its example inputs.
    """
    batches = {
        name: torch.export.Dim(f"batch_of_{name}" if name in apart else "batch", min=1)
        for name in graph.inputs
    }
    shapes = {
        name: {0: batches[name]} if tensor.ndim else None for name, tensor in graph.inputs.items()
    }
    try:
        with torch.no_grad(), quietly():
            return torch.export.export(
                graph.module, (), dict(graph.inputs), dynamic_shapes=shapes, strict=False
            )
    except torch._dynamo.exc.UserError as error:
        if "specialized it to be a constant" not in str(error):
            raise
        raise ZooError(
            f"the graph {graph.name!r} has a fixed batch size: take it from shape[0], not from "
            "len() or a constant"
        ) from error


def run(module: nn.Module, graph: Graph, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the outputs of ``module`` by name; it is the module of ``graph`` or its trace.

    Raises ZooError if their number differs from that of the graph's output names.
    """
    with torch.no_grad():
        outputs = module(**inputs)
    tensors = tuple(outputs) if isinstance(outputs, tuple | list) else (outputs,)
    if len(tensors) != len(graph.outputs):
        raise ZooError(
            f"the graph {graph.name!r} returns {len(tensors)} outputs but names "
            f"{len(graph.outputs)}"
        )
    return dict(zip(graph.outputs, tensors, strict=True))


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Suppresses what torch prints, warns and logs inside."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            with contextlib.redirect_stderr(io.StringIO()):
                yield
    finally:
        logging.disable(previous)
