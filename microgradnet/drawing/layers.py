"""The layers of a recorded graph: which neurons share their inputs, and which weights are used more than once.

Found from the graph alone, whoever wrote it and whatever its labels say. A neuron is a `dot` whose weights and bias
are leaves that no `dot` takes as inputs, the weights variables and not constants. Neurons of the same inputs are a layer; where
its weights meet other inputs, that is another call of it. A layer's number is its depth: how many neurons lie on the
longest way to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from .. import ops
from ..graph import dot_parts
from ..value import Value


@dataclass
class LayerCall:
    """One use of a layer: the inputs that its neurons share, their z, and the y of each z that has an activation."""

    layer: LayerNodes
    number: int
    inputs: tuple[Value, ...]
    z: list[Value] = field(default_factory=list)
    y: dict[Value, Value] = field(default_factory=dict)


@dataclass
class LayerNodes:
    """What a layer left in a graph: its parameters, and its calls. number: the lecture's q."""

    number: int
    parameters: dict[Value, None] = field(default_factory=dict)
    calls: list[LayerCall] = field(default_factory=list)

    def __str__(self) -> str:
        return f"layer {self.number}"


def find_layers(order: list[Value]) -> list[LayerNodes]:
    """The layers among these nodes, operands first."""
    keys = _input_keys(order)
    layers: list[LayerNodes] = []
    owners: dict[Value, LayerNodes] = {}  # of weights and biases
    first_of: dict[tuple[int, ...], LayerNodes] = {}  # of the layers that take the same inputs
    calls: dict[tuple[int, tuple[int, ...], int], LayerCall] = {}
    seen: Counter[tuple[tuple[int, ...], Value]] = Counter()
    homes: dict[Value, LayerCall] = {}  # of z
    depth: dict[Value, int] = {}
    for node in order:
        depth[node] = max([depth.get(parent, 0) for parent in node.parents])
        if node in keys:
            depth[node] += 1
            weights, inputs, bias = dot_parts(node)
            key = keys[node]
            layer = owners.get(weights[0]) or first_of.get(key)
            if layer is None:
                layer = LayerNodes(depth[node])
                layers.append(layer)
            first_of.setdefault(key, layer)
            turn = seen[key, weights[0]]  # the same weights meet the same inputs again: another call
            seen[key, weights[0]] += 1
            call = calls.get((id(layer), key, turn))
            if call is None:
                call = calls[id(layer), key, turn] = LayerCall(layer, len(layer.calls) + 1, inputs)
                layer.calls.append(call)
            call.z.append(node)
            homes[node] = call
            for parameter in (*weights, bias):
                if owners.setdefault(parameter, layer) is layer:
                    layer.parameters[parameter] = None
        elif len(node.parents) == 1 and node.parents[0] in homes:
            homes[node.parents[0]].y.setdefault(node.parents[0], node)
    return layers


def _input_keys(order: Iterable[Value]) -> dict[Value, tuple[int, ...]]:
    """The neurons, each with what identifies its inputs."""
    dots = [(node, *dot_parts(node)) for node in order if node.op is ops.dot]
    vectors = {id(inputs): inputs for _, _, inputs, _ in dots}  # a layer's neurons share one: looked at once
    keys = {vector: tuple(map(id, inputs)) for vector, inputs in vectors.items()}
    taken = {x for inputs in vectors.values() for x in inputs}
    return {
        node: keys[id(inputs)]
        for node, weights, inputs, bias in dots
        if weights
        and not bias.parents
        and all(w.op is ops.leaf for w in weights)
        and taken.isdisjoint((*weights, bias))
    }
