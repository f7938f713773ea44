"""The order of a graph, the two sweeps that follow it, and how a node packs its operands.

A graph is made of nodes; a node has `parents`, its operands in order, and a leaf has none. The sweeps ask for nothing
else, and are given the local derivatives by a function. Which operation a node holds is the business of the table in
`ops`. All walks are loops, so that a chain of a million nodes is as good as any, and leave no marks on the nodes, so
that threads can walk one graph at once.

Nodes that are recorded by the million are packed in four slots; only this module knows how:

    first, second      the operands: a leaf has neither (None), a unary operation the first, a binary one both. A `dot`
                       has two tuples: the weights and then the bias; the inputs
    d_first, d_second  the local derivatives ∂node/∂operand, as recorded. A `dot` has two sequences of numbers; the
                       second is empty if its inputs are constants, which need no gradient
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

from ._validation import describe

_parents: Callable[[Any], Sequence[Any]] = attrgetter("parents")


def nodes(*outputs: Any) -> list[Any]:
    """Every Value on which the outputs depend, and the outputs: operands first, each once, with leaves and constants.

    Depth first, first operand first: the same graph gives the same order in every process. A TypeError for what is
    not a Value.

    >>> from microgradnet import Value
    >>> x, y = Value(2.0, label="x"), Value(3.0, label="y")
    >>> [node.label or str(node.op) for node in nodes(x * y + x)]
    ['x', 'y', '*', '+']
    """
    for output in outputs:
        if not hasattr(output, "parents"):
            raise TypeError(f"{describe(output)} arrived where a Value was wanted: give them one by one, as in nodes(*outputs)")
    return depth_first(outputs, _parents)


def topological_order(*roots: Any) -> list[Any]:
    """`nodes` without the leaves: all nodes with operands on which the roots depend, operands first."""
    return depth_first([root for root in roots if root.first is not None], _inner_operands)


def depth_first(roots: Sequence[Any], operands: Callable[[Any], Sequence[Any]]) -> list[Any]:
    """All nodes that can be reached from the roots, each after its operands and once."""
    order: list[Any] = []
    seen: set[Any] = set()
    stack: list[Any] = [*reversed(roots)]
    while stack:
        node = stack.pop()
        if node is None:  # all operands of the node below are in the order
            order.append(stack.pop())
        elif node not in seen:
            seen.add(node)
            stack += (node, None)
            stack += reversed(operands(node))
    return order


def _inner_operands(node: Any) -> list[Any]:
    first, second = node.first, node.second
    if type(first) is tuple:
        operands = (*first, *second) if node.d_second else first
    else:
        operands = (first,) if second is None else (first, second)
    return [operand for operand in operands if operand.first is not None]


def backpropagate(order: list[Any]) -> None:
    """`reverse` on the nodes' own `grad`, from the recorded partials: the lecture's backward pass.

    Starts from the `grad` of the last node. This is the sweep that trains nets one sample at a time; on slots it takes
    half the time that the general one takes on a dict.
    """
    for node in reversed(order):
        grad, first, second = node.grad, node.first, node.second
        if type(first) is tuple:
            for operand, partial in zip(first, node.d_first[: len(first)], strict=True):
                operand.grad += partial * grad
            if node.d_second:
                for operand, partial in zip(second, node.d_second[: len(second)], strict=True):
                    operand.grad += partial * grad
        else:
            first.grad += node.d_first * grad
            if second is not None:
                second.grad += node.d_second * grad


# The two general sweeps, mirror images of each other. The numbers that travel, and the partials that `partials` gives
# for a node's parents, can be anything with * and +: floats, arrays, or nodes, which then grow a graph of derivatives.


def reverse(order: list[Any], adjoints: dict[Any, Any], partials: Callable[[Any], Any]) -> None:
    """Given ∂C/∂node for the last nodes, put ∂C/∂node for all nodes before them into `adjoints`."""
    for node in reversed(order):
        adjoint = adjoints.get(node)
        if adjoint is not None:
            for parent, partial in zip(node.parents, partials(node), strict=True):
                term = partial * adjoint
                adjoints[parent] = adjoints[parent] + term if parent in adjoints else term


def forward(order: list[Any], tangents: dict[Any, Any], partials: Callable[[Any], Any]) -> None:
    """Given ∂node/∂t for the first nodes, put ∂node/∂t for all nodes after them into `tangents`."""
    for node in order:
        if tangents.keys().isdisjoint(node.parents):
            continue  # nothing moves it
        for parent, partial in zip(node.parents, partials(node), strict=True):
            tangent = tangents.get(parent)
            if tangent is not None:
                term = partial * tangent
                tangents[node] = tangents[node] + term if node in tangents else term


# How a node packs its operands.


def parents(node: Any) -> tuple[Any, ...]:
    """The operands, in order; of a `dot` the weights, the bias, then the inputs."""
    first, second = node.first, node.second
    if type(first) is tuple:
        return first + second  # type: ignore[no-any-return]  # slots of any node
    return () if first is None else (first,) if second is None else (first, second)


def partials(node: Any) -> tuple[float, ...]:
    """The local derivatives as recorded, one per parent."""
    first, second = node.first, node.second
    if type(first) is tuple:  # ∂z/∂x_j = w_j
        return (*node.d_first, *(node.d_second or [weight._data for weight in first])[: len(second)])
    return () if first is None else (node.d_first,) if second is None else (node.d_first, node.d_second)


def dot_parts(node: Any) -> tuple[tuple[Any, ...], tuple[Any, ...], Any]:
    """The weights, the inputs and the bias of a `dot`.

    The neurons of a layer share one tuple of inputs, so that who has seen it once knows it by its identity.
    """
    *weights, bias = node.first
    return tuple(weights), node.second, bias
