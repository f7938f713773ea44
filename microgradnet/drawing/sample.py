"""What a net computes for one sample, neuron by neuron: y, δ, and the gradients of the weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from .. import ops
from ..costs import Cost
from ..derivatives import grad
from ..graph import dot_parts
from ..nn import MLP, Layer, Neuron
from ..perceptron import Perceptron
from ..value import Value

Net: TypeAlias = MLP | Layer | Neuron | Perceptron


@dataclass(frozen=True)
class Sample:
    """Numbers for a net's picture: of its inputs, and of its layers' neurons.

    cost, targets, deltas and gradients (∂C/∂a of each weight, neuron by neuron) are None without desired outputs.
    """

    x: list[float]
    y: list[list[float]]
    targets: list[float] | None = None
    cost: float | None = None
    deltas: list[list[float]] | None = None
    gradients: list[list[list[float]]] | None = None


def run(net: Net, x: Sequence[Any], r: Any, cost: Cost) -> Sample:
    """The net's numbers for inputs x and, unless r is None, for desired outputs r. Leaves all `.grad` alone.

    The errors of calling the net and the cost; a ValueError for desired outputs of a perceptron.
    """
    if isinstance(net, Perceptron):
        if r is not None:
            raise ValueError("a perceptron has derivatives of 0 and δ = 0: leave out r, or draw a Neuron")
        inputs = _numbers(x)
        return Sample(inputs, [[float(net(inputs))]])
    layers = [*net.layers] if isinstance(net, MLP) else [net]
    y: list[Any] = [x]
    for layer in layers:
        y.append(_listed(layer(y[-1])))
    neurons = [[layer] if isinstance(layer, Neuron) else layer.neurons for layer in layers]
    z = [_z_of(y_i) for outputs in y[1:] for y_i in outputs]
    inputs = _numbers(dot_parts(z[0])[1])
    activations = [_numbers(layer) for layer in y[1:]]
    if r is None:
        return Sample(inputs, activations)
    result = cost(y[-1], r)
    weights = [w for layer in neurons for neuron in layer for w in neuron.w]
    derivatives = iter(grad(result, z + weights))
    deltas = [[next(derivatives) for _ in layer] for layer in neurons]
    gradients = [[[next(derivatives) for _ in neuron.w] for neuron in layer] for layer in neurons]
    return Sample(inputs, activations, _numbers(r), result.data, deltas, gradients)


def _z_of(y: Value) -> Value:
    """The `dot` that an activation was computed from."""
    while y.op is not ops.dot:
        y = next(parent for parent in y.parents if parent.parents)
    return y


def _listed(numbers: Any) -> list[Any]:
    return [*numbers] if hasattr(numbers, "__len__") else [numbers]


def _numbers(values: Any) -> list[float]:
    return [value.data if isinstance(value, Value) else float(value) for value in _listed(values)]
