"""Compositions of many layers, of which each kind is traced once.

Torch takes milliseconds for each operation and each weight that it writes down, and a flow of a
hundred steps has thousands. A composition therefore stands in the traced graph as one call. Beside
it stand the functions that it is a chain of, one for all layers that differ in nothing but their
weights; :mod:`zoo_onnx.functions` puts the chain in the place of the call.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from zoo.export import graphs
from zoo.flows.bijection import Bijection
from zoo.flows.composition import FrozenComposition
from zoo.specs import Graph

DOMAIN = "genzoo"
"""Of the calls, none of which is left in a finished graph."""

CHAIN = "chain"
"""The attribute of a call that says which of the chains it stands for."""

METHODS = ("forward", "inverse")


class Part(nn.Module):
    """A method of a layer as a function; without the log-determinant where that is known."""

    def __init__(self, name: str, layer: Bijection, method: str, example: Tensor) -> None:
        super().__init__()
        self.name, self.layer, self.method, self.example = name, layer, method, example
        self.whole = method == "forward" and layer.log_det_per_pixel is None

    def forward(self, x: Tensor) -> Any:
        return self.of(self.layer, x)

    def of(self, layer: nn.Module, x: Tensor) -> Any:
        """The same of another layer of its kind."""
        found = getattr(layer, self.method)(x)
        return found[0] if self.method == "forward" and not self.whole else found

    @property
    def graph(self) -> Graph:
        """The part alone, as something to trace."""
        outputs = [self.name, f"{self.name}_log_det"] if self.whole else [self.name]
        return Graph(
            name=self.name,
            module=self,
            inputs={f"{self.name}_x": self.example},
            outputs=tuple(outputs),
        )


@dataclass
class Chain:
    """A method of a composition: the parts in turn, each with the layer whose weights it takes, and
    the log-determinant of all layers whose own no picture changes."""

    number: int
    method: str
    shape: tuple[int, ...]
    links: list[tuple[Part, Bijection]] = field(default_factory=list)
    known: float = 0.0


class Compositions:
    """The compositions in a graph's module that have some kind of layer more than once."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.parts: dict[Any, Part] = {}
        self.chains: dict[Any, Chain] = {}
        self._kinds: dict[nn.Module, Any] = {}
        self.names = {module: name for name, module in graph.module.named_modules()}
        found = [one for one in self.names if isinstance(one, FrozenComposition)]
        self._found = [one for one in found if self._repeats(one)]
        with self._instead(self._record):
            graphs.run(graph.module, graph, graph.inputs)

    def trace(self) -> tuple[Graph, torch.export.ExportedProgram]:
        """The graph with its calls and, as further inputs and outputs, those of the parts."""
        parts = [part.graph for part in self.parts.values()]
        inputs, outputs = dict(self.graph.inputs), list(self.graph.outputs)
        for part in parts:
            inputs |= part.inputs
            outputs += part.outputs
        together = _Together([self.graph, *parts])
        whole = Graph(name=self.graph.name, module=together, inputs=inputs, outputs=tuple(outputs))
        with self._instead(self._call):
            return whole, graphs.trace(whole, apart=whole.inputs.keys() - self.graph.inputs.keys())

    def _repeats(self, composition: FrozenComposition) -> bool:
        layers = list(composition.layers)
        self._kinds |= {layer: _kind(layer) for layer in layers}
        return len({self._kinds[layer] for layer in layers}) < len(layers) and not all(
            layer.log_det_per_pixel is not None for layer in layers
        )

    def _record(self, composition: FrozenComposition, method: str, x: Tensor) -> Any:
        key = composition, method, x.shape[1:]
        chain = Chain(len(self.chains), method, tuple(x.shape[1:]))
        log_det: Tensor | None = None
        layers = list(composition.layers)
        for layer in layers if method == "forward" else reversed(layers):
            assert isinstance(layer, Bijection)
            part = self._part(layer, method, x)
            chain.links.append((part, layer))
            if layer.log_det_per_pixel is not None:
                chain.known += layer.log_det_per_pixel * x.shape[2] * x.shape[3]
            if part.whole:
                x, own = part.of(layer, x)
                log_det = own if log_det is None else log_det + own
            else:
                x = part.of(layer, x)
        self.chains.setdefault(key, chain).shape = tuple(x.shape[1:])
        return x if log_det is None else (x, log_det + chain.known)

    def _part(self, layer: Bijection, method: str, x: Tensor) -> Part:
        key = self._kinds[layer], method, x.shape[1:]
        if key not in self.parts:
            self.parts[key] = Part(f"{method}_{len(self.parts)}", layer, method, x.clone())
        return self.parts[key]

    def _call(self, composition: FrozenComposition, method: str, x: Tensor) -> Any:
        chain = self.chains[composition, method, x.shape[1:]]
        shapes: list[tuple[Any, ...]] = [(x.shape[0], *chain.shape)]
        if method == "forward":
            shapes.append((x.shape[0],))
        found = torch.onnx.ops.symbolic_multi_out(
            f"{DOMAIN}::Chain",
            [x],
            {CHAIN: chain.number},
            dtypes=[x.dtype] * len(shapes),
            shapes=shapes,
            version=1,
        )
        return tuple(found) if method == "forward" else found[0]

    @contextlib.contextmanager
    def _instead(self, made: Any) -> Iterator[None]:
        """Inside, the methods of the compositions are ``made(composition, method, x)``, and their
        layers out of sight."""
        places = [
            (module, name, child)
            for module in list(self.graph.module.modules())
            for name, child in module.named_children()
            if child in self._found
        ]
        for module, name, child in places:
            stand_in = copy.copy(child)
            stand_in.__dict__["_modules"] = {}
            for method in METHODS:
                stand_in.__dict__[method] = partial(made, child, method)
            setattr(module, name, stand_in)
        try:
            yield
        finally:
            for module, name, child in places:
                setattr(module, name, child)


class _Together(nn.Module):
    """Graphs beside each other: the inputs of all go in, the outputs of all come out."""

    def __init__(self, graphs: list[Graph]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(graph.module for graph in graphs)
        names = [name for graph in graphs for name in graph.inputs]

        def forward(**inputs: Tensor) -> tuple[Tensor, ...]:
            outputs: list[Tensor] = []
            for graph in graphs:
                given = [inputs[name] for name in graph.inputs]
                found = (
                    graph.module(*given)
                    if isinstance(graph.module, Part)
                    else graph.module(**dict(zip(graph.inputs, given, strict=True)))
                )
                outputs += found if isinstance(found, tuple | list) else [found]
            return tuple(outputs)

        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        forward.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [inspect.Parameter(name, kind) for name in names]
        )
        self.forward = forward


def weights(module: nn.Module, inner: bool = True) -> dict[str, Tensor]:
    """The parameters and buffers of ``module`` by name, without those of its children where
    ``inner`` is False."""
    return dict(module.named_parameters(recurse=inner)) | dict(module.named_buffers(recurse=inner))


def _kind(module: nn.Module) -> Any:
    """What modules that differ in their weights alone have in common; a log-determinant that is
    known beforehand is none of it, since the composition adds it up."""
    inside = {*vars(nn.Module()), "log_det_per_pixel"}
    own = {name: _plain(value) for name, value in vars(module).items() if name not in inside}
    return (
        type(module),
        tuple(sorted(own.items())),
        tuple((name, tuple(w.shape), w.dtype) for name, w in weights(module, False).items()),
        tuple((name, _kind(child)) for name, child in module.named_children()),
        getattr(module, "log_det_per_pixel", None) is None,
    )


def _plain(value: Any) -> Any:
    """A plain value as it is; of any other no two are alike."""
    if value is None or isinstance(value, bool | int | float | str):
        return type(value).__name__, value
    if isinstance(value, list | tuple):
        return type(value).__name__, tuple(_plain(one) for one in value)
    return "other", id(value)
