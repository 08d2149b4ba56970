"""The functions of a graph's compositions, and the chains of them that its calls stand for."""

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


def put_together(model: ir.Model, compositions: Compositions) -> None:
    """Make the one graph of what :meth:`Compositions.trace` gave: its parts become functions of
    ``model``, and each call the chain of their calls that it stands for."""
    taken: dict[str, list[str]] = {}
    for part in compositions.parts.values():
        graph = ir.convenience.extract(model.graph, list(part.graph.inputs), part.graph.outputs)
        function, taken[part.name] = _function(part, graph)
        model.functions[function.identifier()] = function
    del model.graph.outputs[len(compositions.graph.outputs) :]
    common.RemoveUnusedNodesPass()(model)
    del model.graph.inputs[len(compositions.graph.inputs) :]
    chains = {chain.number: chain for chain in compositions.chains.values()}
    initializers = _Initializers(model.graph, compositions.names)
    for node in list(model.graph):
        if node.domain == DOMAIN:
            chain = chains[node.attributes[CHAIN].as_int()]
            _unfold(model.graph, node, chain, taken, initializers)


def _function(part: Part, graph: ir.Graph) -> tuple[ir.Function, list[str]]:
    """The graph of ``part`` as a function, and which of the layer's weights it takes beside x."""
    taken, known = [], weights(part.layer)
    for name, value in list(graph.initializers.items()):
        del graph.initializers[name]
        weight = name.rpartition("layer.")[2]
        if weight in known:
            value.const_value = None
            graph.inputs.append(value)
            taken.append(weight)
        else:
            node = ir.node("Constant", [], {"value": value.const_value})
            value.replace_all_uses_with(node.outputs[0])
            graph.insert_before(graph[0], node)
    return ir.Function(DOMAIN, part.name, graph=graph, attributes=[]), taken


class _Initializers:
    """The weights of layers as initializers of a graph, called as in the network."""

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


def _unfold(
    graph: ir.Graph,
    call: ir.Node,
    chain: Chain,
    taken: Mapping[str, list[str]],
    initializers: _Initializers,
) -> None:
    """Put the chain into the place of its call."""
    x = call.inputs[0]
    log_dets: list[ir.Value] = []
    made: list[ir.Node] = []
    for part, layer in chain.links:
        inputs = [x, *(initializers.of_layer(layer, weight) for weight in taken[part.name])]
        made.append(ir.Node(DOMAIN, part.name, inputs, num_outputs=1 + part.whole))
        x = made[-1].outputs[0]
        log_dets += made[-1].outputs[1:]
    assert x is not None
    results = [x]
    if chain.method == "forward":
        log_det, *rest = log_dets
        if chain.known:
            known = np.array(chain.known, np.float32)
            rest.append(initializers.add(f"known_log_det_{chain.number}", known))
        for one in rest:
            made.append(ir.node("Add", [log_det, one]))
            log_det = made[-1].outputs[0]
        results.append(log_det)
    graph.insert_before(call, made)
    for before, after in zip(call.outputs, results, strict=True):
        before.replace_all_uses_with(after, replace_graph_outputs=True)
    graph.remove(call, safe=True)
