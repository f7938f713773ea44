"""What a picture needs to know about a recorded graph: its nodes and edges, their names, and the layers in it.

Read from the graph alone, by its shape and its labels: whoever draws need not have kept the net.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .. import ops
from ..graph import topological_order
from ..value import Undefined, Value
from .text import short, shown, subscript, superscript

_LONGEST = 28  # characters of a label in a picture; the tooltip has them all
_Z = re.compile("z⁽([⁰¹²³⁴⁵⁶⁷⁸⁹]+)⁾([₀₁₂₃₄₅₆₇₈₉]+)")  # how a net labels its pre-activations
_DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉", "01234567890123456789")


@dataclass
class Call:
    """One use of a layer: its `dot` nodes, neuron by neuron, what they share as inputs, and their activations."""

    layer: Layer
    number: int
    inputs: tuple[Value, ...]
    z: list[Value] = field(default_factory=list)
    y: dict[Value, Value] = field(default_factory=dict)


@dataclass
class Layer:
    """The `dot` nodes that share their inputs, in every call of the same weights. number: its q in a net, else 0."""

    number: int
    parameters: dict[Value, None] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)

    def __str__(self) -> str:
        return f"layer {self.number}" if self.number else "layer"


class Recording:
    """A recorded graph under one root or several.

    order: the nodes with operands, in the engine's order; nodes: these and the leaves, each leaf before its first
    use. gradients: those that there are to show, by default what `backward` left in `.grad`: none before it ran, and
    none for constants to which the engine sends none, where a 0 would be false.
    """

    def __init__(self, roots: Sequence[Value], gradients: dict[Value, float] | None = None) -> None:
        self.roots = tuple(dict.fromkeys(roots))
        self.order: list[Value] = topological_order(*self.roots)
        known: dict[Value, None] = {}
        self.edge_count = 0
        for node in self.order:
            parents = node.parents
            self.edge_count += len(parents)
            known.update(dict.fromkeys(parents))
            known[node] = None
        self.nodes = list(known | dict.fromkeys(self.roots))
        self.layers = _layers(self.order)
        self.gradients = self._recorded_gradients() if gradients is None else gradients
        self._parameters = {p for node in self.order if _is_dot(node) for p in node.first}
        self._names = _input_names(self.layers)
        self._deltas = {z for layer in self.layers if layer.number for call in layer.calls for z in call.z}

    def name(self, node: Value) -> str:
        """Its label or, for the inputs of a net that have none, x₁ …; else nothing."""
        return shown(node.label, _LONGEST) or self._names.get(node, "")

    def kind(self, node: Value) -> str:
        """What it is to a reader: an operation, an input or a parameter of a net, a constant, or a variable."""
        if node.first is not None:
            return "operation"
        if node in self._names:
            return "input"
        if node.op is ops.constant:
            return "constant"
        return "parameter" if node in self._parameters else "variable"

    def is_result(self, node: Value) -> bool:
        """Whether it is one of the roots: itself, not one that compares equal."""
        return any(node is root for root in self.roots)

    def gradient_name(self, node: Value) -> str:
        """δ for a net's pre-activations, as in the lecture."""
        return "δ" if node in self._deltas else "grad"

    def warnings(self) -> list[str]:
        """What a reader must know: that a leaf shows another number than the one the graph was recorded with."""
        stale = [
            self.name(leaf) or short(leaf.data)
            for node in self.order
            if not _consistent(node)
            for leaf in dict.fromkeys(node.parents)
            if leaf.first is None
        ]
        names = ", ".join(list(dict.fromkeys(stale))[:5])
        return [f"Assigned since this was recorded: one of {names}. Compute it again."] if stale else []

    def _recorded_gradients(self) -> dict[Value, float]:
        if all(root.grad == 0.0 for root in self.roots):  # `backward` leaves a 1 there
            return {}
        reached = {root: root.grad for root in self.roots}
        for node in self.order:
            reached.update((parent, parent.grad) for parent, _ in zip(node.parents, node.partials, strict=False))
        return reached


def local_derivatives(node: Value) -> list[float | None]:
    """∂node/∂parent for each parent, as recorded; None where it does not exist."""
    if type(node.d_first) is Undefined:
        return [None] * len(node.parents)
    partials = list(node.partials)
    missing = len(node.parents) - len(partials)  # the constant inputs of a `dot`: by its rule, ∂z/∂x_j = w_j
    return partials + [weight.data for weight in node.first[:missing]] if missing else [*partials]


def _consistent(node: Value) -> bool:
    data = [parent.data for parent in node.parents]
    if _is_dot(node):
        n = len(node.first)
        operands: list[Any] = [tuple(data[:n]), (*data[n:], 1.0)]
    else:
        operands = data
    try:
        again = node.op.value(*operands)
    except (ValueError, ArithmeticError):
        return False
    return again == node.data or again != again


def _input_names(layers: list[Layer]) -> dict[Value, str]:
    """x_j for the unlabelled inputs of a net, x_j^k if there are several samples k."""
    names: dict[Value, str] = {}
    for layer in layers:
        samples = [call for call in layer.calls if layer.number == 1 and any(x.first is None for x in call.inputs)]
        for k, call in enumerate(samples, 1):
            for j, x in enumerate(call.inputs, 1):
                if x.first is None and not x.label:
                    names.setdefault(x, f"x{superscript(k) if len(samples) > 1 else ''}{subscript(j)}")
    return names


def _is_dot(node: Value) -> bool:
    return type(node.first) is tuple


def _layers(order: list[Value]) -> list[Layer]:
    layers: list[Layer] = []
    owners: dict[Value, Layer] = {}  # of weights and biases
    calls: dict[tuple[int, ...], list[Call]] = {}  # those of the same inputs
    keys: dict[int, tuple[int, ...]] = {}
    seen: Counter[tuple[tuple[int, ...], str]] = Counter()
    homes: dict[Value, Call] = {}  # of z nodes
    for node in order:
        if _is_dot(node):
            key = keys.get(id(node.second)) or keys.setdefault(id(node.second), tuple(map(id, node.second)))
            same = calls.setdefault(key, [])
            # a second z⁽¹⁾₁ of the same inputs belongs to another net, or to another call of this one
            turn = seen[key, node.label] if node.label else 0
            seen[key, node.label] += 1
            if turn == len(same):
                same.append(_call(node, owners.get(node.first[0]), layers))
            call = homes[node] = same[turn]
            call.z.append(node)
            for parameter in node.first:
                if parameter.first is None and owners.setdefault(parameter, call.layer) is call.layer:
                    call.layer.parameters[parameter] = None
        elif node.second is None and node.first in homes:
            call, z = homes[node.first], node.first
            if not call.layer.number or node.label == "y" + z.label[1:]:
                call.y.setdefault(z, node)
    for layer in layers:
        for call in layer.calls:
            if layer.number:
                call.z.sort(key=lambda z: _indices(z)[1])
    return layers


def _call(z: Value, layer: Layer | None, layers: list[Layer]) -> Call:
    """A new call of the layer that owns the weights of z, or of a new layer."""
    number, _ = _indices(z)
    if layer is None or layer.number != number:
        layer = Layer(number)
        layers.append(layer)
    call = Call(layer, len(layer.calls) + 1, z.second)
    layer.calls.append(call)
    return call


def _indices(z: Value) -> tuple[int, int]:
    """q and i of a net's z⁽q⁾_i, zeros for another `dot`."""
    match = _Z.fullmatch(z.label)
    return (int(match[1].translate(_DIGITS)), int(match[2].translate(_DIGITS))) if match else (0, 0)
