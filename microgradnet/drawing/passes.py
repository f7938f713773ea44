"""The forward and the backward pass as a row of steps, with the numbers that flow and a sentence on each.

All numbers are computed here, by the engine's own sums in the engine's own order, from gradients of 0.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .. import ops
from ..value import Value
from .drawn_graph import DrawnGraph, missing_derivative
from .text import exact, result_of, short, shown

_MOST_OPERANDS = 5  # named in the sentence about a step; the picture shows all

Step = dict[str, Any]


class Flow(NamedTuple):
    """What a node hands to one of its operands: partial times its gradient, added to the operand's gradient."""

    place: int
    parent: Value
    partial: float
    term: float
    before: float
    after: float


def backward_flows(root: Value) -> tuple[dict[Value, list[Flow]], dict[Value, float]]:
    """What every node hands on, last node first, and the gradients: those of `backward`. Both empty without it."""
    graph = DrawnGraph([root], {})
    if any(map(missing_derivative, graph.order)):
        return {}, {}
    gradients = {root: 1.0}
    flows: dict[Value, list[Flow]] = {}
    for node in reversed(graph.order):
        flows[node] = []
        for place, (parent, partial) in enumerate(zip(node.parents, node.partials, strict=True)):
            if parent.op is not ops.constant:
                term, before = partial * gradients[node], gradients.get(parent, 0.0)
                gradients[parent] = before + term
                flows[node].append(Flow(place, parent, partial, term, before, before + term))
    return flows, gradients


class Steps:
    """Writes the steps of a graph under one root for the page. flows: from `backward_flows`."""

    def __init__(self, graph: DrawnGraph, flows: dict[Value, list[Flow]]) -> None:
        self._graph, self._flows, self._root = graph, flows, graph.roots[0]
        self._number = {node: i for i, node in enumerate(graph.nodes)}
        self._first_edge: dict[Value, int] = {}
        edges = 0
        for node in graph.order:
            self._first_edge[node] = edges
            edges += len(node.parents)

    def all(self) -> list[Step]:
        """The start, the forward pass, and the backward pass or why there is none."""
        words = ["The leaves have their numbers. Nothing is computed yet.", *self._graph.warnings()]
        forward = [self._forward(i, node) for i, node in enumerate(self._graph.order, 1)]
        return [{"phase": "start", "text": " ".join(words)}, *forward, *self._backward_pass()]

    def _forward(self, i: int, node: Value) -> Step:
        operands = [self._named(parent) for parent in node.parents]
        listed = ", ".join(operands[:_MOST_OPERANDS]) + (", …" if len(operands) > _MOST_OPERANDS else "")
        return {
            "phase": f"forward {i} of {len(self._graph.order)}",
            "text": f"‘{node.op}’ of {listed} gives {self._named(node)}.",
            "node": self._number[node],
            "edges": [self._first_edge[node] + place for place in range(len(operands))],
        }

    def _backward_pass(self) -> list[Step]:
        for node in self._graph.order:
            error = missing_derivative(node)
            if error is not None:
                text = f"There is no backward pass: {error}."
                return [{"phase": "backward", "text": shown(text), "node": self._number[node]}]
        seed = {
            "phase": "backward, start",
            "text": f"The gradient of the result with respect to itself is 1: {self._named(self._root)}, grad = 1.",
            "node": self._number[self._root],
            "grads": [self._gradient(self._root, 1.0)],
        }
        return [seed] + [self._backward(i, node) for i, node in enumerate(self._flows, 1)]

    def _backward(self, i: int, node: Value) -> Step:
        flows, gradient = self._flows[node], self._graph.gradients[node]
        own = f"{self._named(node)} hands its {self._graph.gradient_name(node)} = {short(gradient)} to its operands"
        return {
            "phase": f"backward {i} of {len(self._flows)}",
            "text": f"{own}, times the local derivative:"
            if flows
            else f"{self._named(node)} has only constants below it.",
            "node": self._number[node],
            "back": True,
            "edges": [self._first_edge[node] + flow.place for flow in flows],
            "terms": [short(flow.term) for flow in flows],
            "lines": [self._line(flow, gradient) for flow in flows],
            "grads": [self._gradient(flow.parent, flow.after) for flow in flows],
        }

    def _line(self, flow: Flow, gradient: float) -> str:
        product = result_of("×", flow.partial, gradient, flow.term)
        total = result_of("+", flow.before, flow.term, flow.after)
        name = self._graph.gradient_name(flow.parent)
        return f"to {self._named(flow.parent)}: {product}, so its {name} becomes {total}"

    def _named(self, node: Value) -> str:
        name, number = self._graph.name(node), self._graph.number(node)
        return f"{name} = {number}" if name else number

    def _gradient(self, node: Value, gradient: float) -> tuple[int, str, str]:
        return self._number[node], short(gradient), exact(gradient)
