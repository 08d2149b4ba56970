"""The graphs of a model: modules that hold for every batch size, for exporters to write down.

A graph's inputs have the batch as their first dimension, a scalar has none. Names are the same for
all models: ``z``, ``temperature``, ``label`` and ``image`` go in, ``image``, ``z``, ``log_prob``,
``mean`` and ``log_variance`` come out.
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
from zoo.freezing import freeze
from zoo.specs import Graph, Latent

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from zoo.plugins.host import Host

TRACED = 2
"""The batch size of example inputs; one that no graph may remember."""


class Sampler(nn.Module):
    """``zoo_sample`` as a module: ``forward(z, temperature, label)`` gives pictures
    ``[batch, C, H, W]`` of latents ``[batch, latent.size]``; ``temperature`` is a float32 scalar,
    ``label`` int64 ``[batch]`` or None."""

    def __init__(self, host: Host, model: str, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self._host, self._model = host, model

    def forward(self, z: Tensor, temperature: Tensor, label: Tensor | None = None) -> Tensor:
        images: Tensor = self._host.call(
            "zoo_sample",
            self._model,
            network=self.network,
            latents=z,
            temperature=temperature,
            labels=label,
        )
        return images


class Encoder(nn.Module):
    """``zoo_encode`` as a module: ``forward(image, label)`` gives the tensors named ``outputs``, a
    tuple, of pictures ``[batch, C, H, W]`` in [0, 1]; ``label`` is as in :class:`Sampler`."""

    def __init__(
        self, host: Host, model: str, network: nn.Module, outputs: tuple[str, ...] = ()
    ) -> None:
        super().__init__()
        self.network, self.outputs = network, outputs
        self._host, self._model = host, model

    def forward(self, image: Tensor, label: Tensor | None = None) -> tuple[Tensor, ...]:
        found = self.encode(image, label)
        return tuple(found[name] for name in self.outputs)

    def encode(self, image: Tensor, label: Tensor | None = None) -> Mapping[str, Tensor]:
        """The same by name."""
        found: Mapping[str, Tensor] = self._host.call(
            "zoo_encode", self._model, network=self.network, images=image, labels=label
        )
        return found


def graphs_of(host: Host, model: str, network: nn.Module) -> Sequence[Graph]:
    """What ``zoo_graphs`` of the model's plugin gives, else the sampler and, where the model
    encodes, the encoder, of the frozen network.

    ``network`` is put into evaluation mode. Raises ZooError for a result that is no list of
    :class:`zoo.Graph`.
    """
    network.eval()
    if not host.has("zoo_graphs", model):
        frozen = freeze(network)
        graphs = [sampler_graph(host, model, frozen)]
        if "encode" in host.spec(model).capabilities:
            graphs.append(encoder_graph(host, model, frozen))
        return graphs
    graphs = host.call("zoo_graphs", model, network=network)
    if not isinstance(graphs, Sequence) or not all(isinstance(graph, Graph) for graph in graphs):
        raise ZooError(f"zoo_graphs of {model} gave no list of zoo.Graph")
    return graphs


def sampler_graph(host: Host, model: str, network: nn.Module) -> Graph:
    """The graph ``sampler``: ``z``, ``temperature`` and, if conditional, ``label`` to ``image``."""
    latent: Latent = network.latent  # type: ignore[assignment]
    device = next((tensor.device for tensor in network.state_dict().values()), None)
    inputs = {
        "z": torch.full((TRACED, latent.size), 0.5, device=device),
        "temperature": torch.ones((), device=device),
    }
    if latent.classes:
        inputs["label"] = torch.arange(TRACED, device=device) % latent.classes
    return Graph("sampler", Sampler(host, model, network), inputs, ("image",))


def encoder_graph(host: Host, model: str, network: nn.Module) -> Graph:
    """The graph ``encoder``: ``image`` and, if conditional, ``label`` to what ``zoo_encode`` gives,
    in its order."""
    drawn = sampler_graph(host, model, network)
    inputs = {"image": run(drawn.module, drawn, drawn.inputs)["image"]}
    if "label" in drawn.inputs:
        inputs["label"] = drawn.inputs["label"]
    encoder = Encoder(host, model, network)
    with torch.no_grad():
        encoder.outputs = tuple(encoder.encode(**inputs))
    return Graph("encoder", encoder, inputs, encoder.outputs)


def trace(graph: Graph, apart: Collection[str] = ()) -> ExportedProgram:
    """The graph as a program for every batch size; the inputs named ``apart`` have each their own.

    Raises ZooError where the module remembers the batch size of its example inputs.
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
            f"a batch size is frozen into the graph {graph.name!r}: take it from shape[0], neither "
            "by len() nor as a number"
        ) from error


def run(module: nn.Module, graph: Graph, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The outputs by name of ``module``, that of ``graph`` or what :func:`trace` made of it.

    Raises ZooError where they are not as many as the graph's names.
    """
    with torch.no_grad():
        found = module(**inputs)
    tensors = tuple(found) if isinstance(found, tuple | list) else (found,)
    if len(tensors) != len(graph.outputs):
        raise ZooError(
            f"the graph {graph.name!r} gives {len(tensors)} outputs and names {len(graph.outputs)}"
        )
    return dict(zip(graph.outputs, tensors, strict=True))


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Without what torch prints and logs meanwhile: an error says it better."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            with contextlib.redirect_stderr(io.StringIO()):
                yield
    finally:
        logging.disable(before)
