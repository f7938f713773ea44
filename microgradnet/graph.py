"""One order of the graph, and the sweeps that walk it.

A node is anything with these fields:

    first, second      its operands: a leaf has neither (None), a unary operation the first, a binary one both. An
                       operand is a node or a tuple of nodes
    d_first, d_second  the local derivatives ∂node/∂operand, numbers recorded when the node was made; beside a tuple
                       of nodes a sequence of numbers, empty where these nodes are constants, without gradients
    grad, mark         the adjoint, and a scratch field of the order

The sweeps need nothing else (`reverse` and `forward` get `parents`, the operands in one tuple): which operation a node
holds, and what it holds for, is the business of the table in `ops`. They are loops, not recursions, so that a chain of
a million nodes is as good as any.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def topological_order(*roots: Any) -> list[Any]:
    """All nodes with operands on which the roots depend, operands first; leaves are left out.

    Depth-first, first operand first: the same graph gives the same order in every process.
    """
    entered, left = object(), object()
    order = []
    stack = list(reversed(roots))
    while stack:
        node = stack.pop()
        mark = node.mark
        if mark is left:
            continue
        if mark is entered:  # all its operands are behind us
            node.mark = left
            order.append(node)
            continue
        first = node.first
        if first is None:
            continue
        node.mark = entered
        stack.append(node)
        if type(first) is tuple:
            if node.d_second:
                stack += [operand for operand in reversed(node.second) if operand.first is not None]
            stack += [operand for operand in reversed(first) if operand.first is not None]
        else:
            second = node.second
            if second is not None and second.first is not None:
                stack.append(second)
            if first.first is not None:
                stack.append(first)
    return order


def backpropagate(order: list[Any]) -> None:
    """`reverse` on the nodes' own `grad`, from the recorded partials: the lecture's backward pass.

    Starts from the `grad` of the last node. This is the sweep that trains nets one sample at a time; on slots it takes
    half the time that the general one takes on a dict.
    """
    for node in reversed(order):
        grad, first, second = node.grad, node.first, node.second
        if type(first) is tuple:
            for operand, partial in zip(first, node.d_first, strict=False):
                operand.grad += partial * grad
            for operand, partial in zip(second, node.d_second, strict=False):
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
            for parent, partial in zip(node.parents, partials(node), strict=False):
                term = partial * adjoint
                adjoints[parent] = adjoints[parent] + term if parent in adjoints else term


def forward(order: list[Any], tangents: dict[Any, Any], partials: Callable[[Any], Any]) -> None:
    """Given ∂node/∂t for the first nodes, put ∂node/∂t for all nodes after them into `tangents`."""
    for node in order:
        if tangents.keys().isdisjoint(node.parents):
            continue  # nothing moves it
        for parent, partial in zip(node.parents, partials(node), strict=False):
            tangent = tangents.get(parent)
            if tangent is not None:
                term = partial * tangent
                tangents[node] = tangents[node] + term if node in tangents else term
