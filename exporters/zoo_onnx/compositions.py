"""Compositions of many layers, traced once per kind of layer.

Torch takes milliseconds for each operation and each weight that it converts, and a flow of a
hundred steps has thousands. So a composition is a single call in the traced graph. The functions it
is a chain of, one for all layers that differ in their weights alone, are traced beside it;
:mod:`zoo_onnx.functions` replaces each call by its chain. A Glow with L=3, K=32 and width 512
converts in a fifth of the CPU time that way.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
from collections.abc import Callable, Iterator
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
"""Domain of the calls, none of which is left in a finished graph."""

CHAIN = "chain"
"""Attribute of a call: the number of its chain."""

METHODS = ("forward", "inverse")


class Part(nn.Module):
    """A method of a layer as a function; without the log-determinant if that is constant."""

    def __init__(self, name: str, layer: Bijection, method: str, example: Tensor) -> None:
        super().__init__()
        self.name, self.layer, self.method, self.example = name, layer, method, example
        self.with_log_det = method == "forward" and layer.log_det_per_pixel is None

    def forward(self, x: Tensor) -> Any:
        return self.call(self.layer, x)

    def call(self, layer: nn.Module, x: Tensor) -> Any:
        """The same method of another layer of this kind."""
        result = getattr(layer, self.method)(x)
        return result[0] if self.method == "forward" and not self.with_log_det else result

    @property
    def graph(self) -> Graph:
        """The part alone, to trace."""
        outputs = [self.name, f"{self.name}_log_det"] if self.with_log_det else [self.name]
        return Graph(
            name=self.name,
            module=self,
            inputs={f"{self.name}_x": self.example},
            outputs=tuple(outputs),
        )


@dataclass
class Chain:
    """A method of a composition: its parts in order, each with the layer that holds its weights.

    ``shape`` is that of the output of one image, ``known_log_det`` the sum of the constant
    log-determinants.
    """

    number: int
    method: str
    shape: tuple[int, ...]
    links: list[tuple[Part, Bijection]] = field(default_factory=list)
    known_log_det: float = 0.0


class Compositions:
    """The compositions in a graph's module that have several layers of one kind."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.parts: dict[Any, Part] = {}
        self.chains: dict[Any, Chain] = {}
        self._kinds: dict[nn.Module, Any] = {}
        self.names = {module: name for name, module in graph.module.named_modules()}
        compositions = [module for module in self.names if isinstance(module, FrozenComposition)]
        self._compositions = [module for module in compositions if self._repeats(module)]
        with self._replaced_by(self._record):
            graphs.run(graph.module, graph, graph.inputs)

    def trace(self) -> tuple[Graph, torch.export.ExportedProgram]:
        """Returns the graph with a call per composition; the parts' inputs and outputs follow its
        own."""
        parts = [part.graph for part in self.parts.values()]
        inputs, outputs = dict(self.graph.inputs), list(self.graph.outputs)
        for part in parts:
            inputs |= part.inputs
            outputs += part.outputs
        joined = _Joined([self.graph, *parts])
        whole = Graph(name=self.graph.name, module=joined, inputs=inputs, outputs=tuple(outputs))
        with self._replaced_by(self._call):
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
                chain.known_log_det += layer.log_det_per_pixel * x.shape[2] * x.shape[3]
            if part.with_log_det:
                x, own = part.call(layer, x)
                log_det = own if log_det is None else log_det + own
            else:
                x = part.call(layer, x)
        self.chains.setdefault(key, chain).shape = tuple(x.shape[1:])
        return x if log_det is None else (x, log_det + chain.known_log_det)

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
        outputs = torch.onnx.ops.symbolic_multi_out(
            f"{DOMAIN}::Chain",
            [x],
            {CHAIN: chain.number},
            dtypes=[x.dtype] * len(shapes),
            shapes=shapes,
            version=1,
        )
        return tuple(outputs) if method == "forward" else outputs[0]

    @contextlib.contextmanager
    def _replaced_by(self, function: Callable[..., Any]) -> Iterator[None]:
        """Replaces the methods of the compositions by ``function(composition, method, x)`` and
        hides their layers."""
        places = [
            (module, name, child)
            for module in list(self.graph.module.modules())
            for name, child in module.named_children()
            if child in self._compositions
        ]
        for module, name, child in places:
            stand_in = copy.copy(child)
            stand_in.__dict__["_modules"] = {}
            for method in METHODS:
                stand_in.__dict__[method] = partial(function, child, method)
            setattr(module, name, stand_in)
        try:
            yield
        finally:
            for module, name, child in places:
                setattr(module, name, child)


class _Joined(nn.Module):
    """Several graphs side by side, with the inputs and outputs of all."""

    def __init__(self, graphs: list[Graph]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(graph.module for graph in graphs)
        names = [name for graph in graphs for name in graph.inputs]

        def forward(**inputs: Tensor) -> tuple[Tensor, ...]:
            outputs: list[Tensor] = []
            for graph in graphs:
                arguments = {name: inputs[name] for name in graph.inputs}
                result = (
                    graph.module(*arguments.values())
                    if isinstance(graph.module, Part)
                    else graph.module(**arguments)
                )
                outputs += result if isinstance(result, tuple | list) else [result]
            return tuple(outputs)

        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        forward.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [inspect.Parameter(name, kind) for name in names]
        )
        self.forward = forward


def weights(module: nn.Module, recurse: bool = True) -> dict[str, Tensor]:
    """Parameters and buffers of ``module`` by name; with ``recurse`` also those of its children."""
    return dict(module.named_parameters(recurse=recurse)) | dict(
        module.named_buffers(recurse=recurse)
    )


def _kind(module: nn.Module) -> Any:
    """A key that modules share which differ in their weights alone.

    A constant log-determinant is not part of it, since the composition sums those.
    """
    ignored = {*vars(nn.Module()), "log_det_per_pixel"}
    own = {name: _key(value) for name, value in vars(module).items() if name not in ignored}
    return (
        type(module),
        tuple(sorted(own.items())),
        tuple((name, tuple(w.shape), w.dtype) for name, w in weights(module, False).items()),
        tuple((name, _kind(child)) for name, child in module.named_children()),
        getattr(module, "log_det_per_pixel", None) is None,
    )


def _key(value: Any) -> Any:
    """Plain values compare by value, all others by identity."""
    if value is None or isinstance(value, bool | int | float | str):
        return type(value).__name__, value
    if isinstance(value, list | tuple):
        return type(value).__name__, tuple(_key(item) for item in value)
    return "other", id(value)
