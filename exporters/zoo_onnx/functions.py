"""Functions for the parts of a graph's compositions, and the chains of calls that use them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir
from onnx_ir.passes import common
from torch import nn

from zoo_onnx.compositions import CHAIN, DOMAIN, Chain, Compositions, Part, weights

if TYPE_CHECKING:
    from numpy.typing import NDArray


def expand_chains(model: ir.Model, compositions: Compositions) -> None:
    """Turns the result of :meth:`Compositions.trace` into one graph.

    The parts become functions of ``model``, and each call the chain of function calls it stands
    for.
    """
    parameters: dict[str, list[str]] = {}
    for part in compositions.parts.values():
        graph = ir.convenience.extract(model.graph, list(part.graph.inputs), part.graph.outputs)
        function, parameters[part.name] = _function(part, graph)
        model.functions[function.identifier()] = function
    del model.graph.outputs[len(compositions.graph.outputs) :]
    common.RemoveUnusedNodesPass()(model)
    del model.graph.inputs[len(compositions.graph.inputs) :]
    chains = {chain.number: chain for chain in compositions.chains.values()}
    initializers = _Initializers(model.graph, compositions.names)
    for node in list(model.graph):
        if node.domain == DOMAIN:
            chain = chains[node.attributes[CHAIN].as_int()]
            _expand(model.graph, node, chain, parameters, initializers)


def _function(part: Part, graph: ir.Graph) -> tuple[ir.Function, list[str]]:
    """The graph of ``part`` as a function, and the layer's weights that it takes after x."""
    parameters, layer_weights = [], weights(part.layer)
    for name, value in list(graph.initializers.items()):
        del graph.initializers[name]
        weight = name.rpartition("layer.")[2]
        if weight in layer_weights:
            value.const_value = None
            graph.inputs.append(value)
            parameters.append(weight)
        else:
            node = ir.node("Constant", [], {"value": value.const_value})
            value.replace_all_uses_with(node.outputs[0])
            graph.insert_before(graph[0], node)
    return ir.Function(DOMAIN, part.name, graph=graph, attributes=[]), parameters


class _Initializers:
    """The weights of layers as initializers of a graph, by their names in the network."""

    def __init__(self, graph: ir.Graph, names: Mapping[nn.Module, str]) -> None:
        self.graph, self.names = graph, names

    def of_layer(self, layer: nn.Module, weight: str) -> ir.Value:
        name = f"{self.names[layer]}.{weight}"
        if name in self.graph.initializers:
            return self.graph.initializers[name]
        return self.add(name, weights(layer)[weight].detach().numpy())

    def add(self, name: str, array: NDArray[Any]) -> ir.Value:
        tensor = ir.tensor(array, name=name)
        kind = ir.TensorType(tensor.dtype)
        value = ir.Value(name=name, shape=ir.Shape(array.shape), type=kind, const_value=tensor)
        self.graph.register_initializer(value)
        return value


def _expand(
    graph: ir.Graph,
    call: ir.Node,
    chain: Chain,
    parameters: Mapping[str, list[str]],
    initializers: _Initializers,
) -> None:
    """Replaces a call by its chain."""
    x = call.inputs[0]
    log_dets: list[ir.Value] = []
    nodes: list[ir.Node] = []
    for part, layer in chain.links:
        inputs = [x, *(initializers.of_layer(layer, weight) for weight in parameters[part.name])]
        nodes.append(ir.Node(DOMAIN, part.name, inputs, num_outputs=1 + part.with_log_det))
        x = nodes[-1].outputs[0]
        log_dets += nodes[-1].outputs[1:]
    assert x is not None
    results = [x]
    if chain.method == "forward":
        log_det, *others = log_dets
        if chain.known_log_det:
            known = np.array(chain.known_log_det, np.float32)
            others.append(initializers.add(f"known_log_det_{chain.number}", known))
        for other in others:
            nodes.append(ir.node("Add", [log_det, other]))
            log_det = nodes[-1].outputs[0]
        results.append(log_det)
    graph.insert_before(call, nodes)
    for before, after in zip(call.outputs, results, strict=True):
        before.replace_all_uses_with(after, replace_graph_outputs=True)
    graph.remove(call, safe=True)
