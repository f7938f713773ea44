"""The order of a graph, the two sweeps that follow it, and how a node packs its operands.

A graph is made of nodes; a node has `parents`, its operands in order, and a leaf has none. The sweeps ask for nothing
else, and are given the local derivatives by a function. Which operation a node holds is the business of the table in
`ops`. All walks are loops, so that a chain of a million nodes is as good as any, and leave no marks on the nodes, so
that threads can walk one graph at once.

Values are packed in four slots, for there may be millions; only this module and those that record know how:

    first, second      the operands. A leaf has neither (None), a unary operation the first, a binary one both, each
                       a node or a plain number: a float, which becomes a node when somebody asks for the parents. A
                       `dot` has a tuple of its weights and then the bias, and a tuple of its inputs, or `Constants`
    d_first, d_second  the local derivatives ∂node/∂operand, as recorded. A `dot` has two lists: the numbers of its inputs
                       and then a 1, and those of its weights and bias

A node without derivatives at its numbers has a tuple of all its operands, an empty one, and twice an `Undefined`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from threading import Lock
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
            raise TypeError(
                f"{describe(output)} arrived where a Value was wanted: give them one by one, as in nodes(*outputs)"
            )
    return depth_first(outputs, _parents)


def depth_first(roots: Sequence[Any], operands: Callable[[Any], Sequence[Any]]) -> list[Any]:
    """All nodes that can be reached from the roots, each once and after its operands."""
    order: list[Any] = []
    seen: set[Any] = set()
    stack: list[Any] = [*reversed(roots)]
    while stack:
        node = stack.pop()
        if node is None:  # all operands of the node below are in the order
            order.append(stack.pop())
        elif node not in seen:
            seen.add(node)
            stack += (node, None, *reversed(operands(node)))
    return order


def topological_order(*roots: Any) -> list[Any]:
    """`nodes` without the leaves: all Values with operands on which the roots depend, operands first."""
    return differentiable_order(*roots)[0]


def differentiable_order(*roots: Any) -> tuple[list[Any], Undefined | None]:
    """The topological order, and what stands for the derivatives of its first node that has none, if there is one.

    The same walk as `depth_first`, on slots, in a third of the time; every backward pass takes it.
    """
    order: list[Any] = []
    without: set[Any] = set()  # derivatives
    seen: set[Any] = set()
    stack: list[Any] = [root for root in reversed(roots) if root.first is not None]
    run: list[Any] = []  # a chain of nodes, each the only inner operand of the one before
    push, pop, see, append, extend = stack.append, stack.pop, seen.add, order.append, run.append
    while stack:
        node = pop()
        if node is None:  # all operands of the node below are in the order
            append(pop())
            continue
        while node not in seen:
            see(node)
            first, second = node.first, node.second
            if type(first) is tuple:
                if not second and node.d_first.__class__ is Undefined:
                    without.add(node)
                operands = first + second if type(second) is tuple else first
                inner = [operand for operand in operands if operand.first is not None]
                if not inner:
                    append(node)
                    break
                run.append(node)
                for waiting in run:
                    push(waiting)
                    push(None)
                run.clear()
                inner.reverse()
                node = inner.pop()
                stack += inner
            elif second is None or type(second) is float or second.first is None:
                if type(first) is float or first.first is None:
                    append(node)
                    break
                extend(node)
                node = first
            elif type(first) is float or first.first is None:
                extend(node)
                node = second
            else:
                if run:
                    for waiting in run:
                        push(waiting)
                        push(None)
                    run.clear()
                push(node)
                push(None)
                push(second)
                node = first
        if run:  # its last operand is in the order
            order += reversed(run)
            run.clear()
    return order, next((node.d_first for node in order if node in without), None) if without else None


def backpropagate(order: list[Any]) -> None:
    """`reverse` on the nodes' own `grad`, from the recorded partials: the lecture's backward pass.

    Starts from the `grad` of the last node. This is the sweep that trains nets one sample at a time; on slots it takes
    half the time that the general one takes on a dict. Plain numbers get no gradient.
    """
    for node in reversed(order):
        grad, first, second = node.grad, node.first, node.second
        if type(first) is tuple:
            for operand, partial in zip(first, node.d_first, strict=True):
                operand.grad += partial * grad
            if type(second) is tuple:
                for operand, partial in zip(second, node.d_second[: len(second)], strict=True):
                    operand.grad += partial * grad
        else:
            if type(first) is not float:
                first.grad += node.d_first * grad
            if second is not None and type(second) is not float:
                second.grad += node.d_second * grad


# The two general sweeps, mirror images of each other. The numbers that travel, and the partials that `partials` gives
# for a node's parents, can be anything with * and +: floats, arrays, or nodes, which then grow a graph of derivatives.


def reverse(order: list[Any], adjoints: dict[Any, Any], partials: Callable[[Any], Any]) -> None:
    """Given ∂C/∂node for the last nodes, put ∂C/∂node for all nodes before them into `adjoints`.

    A partial is None for a parent whose adjoint nobody wants.
    """
    for node in reversed(order):
        adjoint = adjoints.get(node)
        if adjoint is not None:
            for parent, partial in zip(node.parents, partials(node), strict=True):
                if partial is not None:
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


class Undefined:
    """Stands for local derivatives that do not exist at the recorded numbers; who needs them raises `error()`."""

    __slots__ = ("_kind", "_message")

    def __init__(self, error: Exception) -> None:
        self._kind, self._message = type(error), str(error)

    def error(self) -> Exception:
        """A new one each time: a raised error keeps its frames alive, and they the graph."""
        return self._kind(self._message)


class Constants:
    """Plain numbers as the inputs of a `dot`, and the 1 after them; they become nodes when somebody asks for them."""

    __slots__ = ("made", "numbers")

    def __init__(self, numbers: list[float], made: tuple[Any, ...] | None = None) -> None:
        self.numbers, self.made = numbers, made

    def nodes(self, constant: Callable[[float], Any]) -> tuple[Any, ...]:
        """The same ones each time."""
        if self.made is None:
            with _unpacking:
                self.made = self.made or tuple(map(constant, self.numbers[:-1]))
        return self.made


_unpacking = Lock()  # numbers become nodes once, whichever thread asks first


def parents(node: Any) -> tuple[Any, ...]:
    """The operands, in order; of a `dot` the weights, the bias, then the inputs."""
    first, second = node.first, node.second
    if first is None:
        return ()
    if type(first) is tuple:
        return first + _inputs(node)
    if second is None:
        return (first,)
    if type(first) is float or type(second) is float:
        with _unpacking:
            if type(node.first) is float:
                node.first = node.constant(node.first)
            if type(node.second) is float:
                node.second = node.constant(node.second)
    return node.first, node.second


def partials(node: Any) -> tuple[float, ...]:
    """The local derivatives as recorded, one per parent; where there are none, the error that says so."""
    first, second = node.first, node.second
    if type(first) is tuple:
        if node.d_first.__class__ is Undefined:
            raise node.d_first.error()
        return (*node.d_first, *node.d_second[: len(node.d_first) - 1])
    return () if first is None else (node.d_first,) if second is None else (node.d_first, node.d_second)


def dot_parts(node: Any) -> tuple[tuple[Any, ...], tuple[Any, ...], Any]:
    """The weights, the inputs and the bias of a `dot`.

    The neurons of a layer share one tuple of inputs: who keeps it need not look at it again.
    """
    *weights, bias = node.first
    return tuple(weights), _inputs(node), bias


def _inputs(node: Any) -> tuple[Any, ...]:
    inputs = node.second
    return inputs if type(inputs) is tuple else inputs.nodes(node.constant)


# The row of a node's operation, on whatever operands: numbers or nodes, one per parent.


def value_of(node: Any, operands: Sequence[Any]) -> float:
    """The value of the node's operation at other numbers."""
    return node.op.value(*_packed(node, operands))  # type: ignore[no-any-return]


def rule_of(node: Any, operands: Sequence[Any], result: Any) -> tuple[Any, ...]:
    """The partial derivatives of the node's operation, one per operand, by its rule."""
    found = node.op.partials(*_packed(node, operands), result)
    return (*found[0], *found[1][:-1]) if type(node.d_first) is list else found


def _packed(node: Any, operands: Sequence[Any]) -> Sequence[Any]:
    """As the row takes them: of a `dot` weights and bias, inputs and a 1."""
    if type(node.d_first) is not list:
        return operands
    n = len(node.first)
    return operands[:n], (*operands[n:], 1.0)
