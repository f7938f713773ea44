"""The order of a graph, the two sweeps that follow it, and how a node packs its operands.

A graph is made of nodes. A node has `parents`, its operands in order; a leaf has none. The two general sweeps need
nothing else: the caller passes a function that gives a node's local derivatives. What an operation computes is stated
in `ops`. Every walk is a loop, so a chain of a million nodes is no problem. Walks leave the nodes unchanged, so several
threads can walk one graph at the same time. The exception is `zeroed_order`, the walk of `backward`, which writes to `grad`.

A graph can have millions of Values, so a Value packs its operands into four slots. Only this module, what records nodes
(`value`, `functions`, `recorders`) and what copies them (`_pickling`) know how:

    first, second      the operands. A leaf has none (None, None), a unary operation the first, a binary operation both.
                       Each is a node or a float: a plain number, which is made a node when `parents` is first read. A
                       `dot` has a tuple of the weights and the bias, and a tuple of the inputs, or `Constants`.
    d_first, d_second  the local derivatives ∂node/∂operand, as recorded. A `dot` has a list of the inputs' numbers and
                       a 1, and the numbers of the weights and the bias: a list if all of these are leaves, a tuple if
                       some are computed. So the walk for a backward pass need not look at every weight.

Two kinds of node have any number of operands, all in `first`, and an empty tuple in `second`: a node made by hand, with
a tuple of partials in `d_first`, and a node whose derivatives do not exist, with an `Undefined` in `d_first`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from threading import Lock
from typing import Any, ClassVar
from weakref import WeakSet

from ._validation import describe

_parents: Callable[[Any], Sequence[Any]] = attrgetter("parents")


def nodes(*outputs: Any) -> list[Any]:
    """The outputs and every Value they depend on, leaves and constants included: each once, after its operands.

    The order is depth first, first operand first, so the same graph gives the same order in every process. Raises a
    TypeError if an output is not a Value.

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
    """The roots and all nodes they reach through `operands(node)`: each once, after its operands."""
    order: list[Any] = []
    seen: set[Any] = set()
    stack: list[Any] = [*reversed(roots)]
    pop, see, append = stack.pop, seen.add, order.append
    while stack:
        node = pop()
        if node is None:  # all operands of the node below are in the order
            append(pop())
        elif node not in seen:
            see(node)
            below = operands(node)
            if below:
                stack += (node, None, *below[::-1])
            else:
                append(node)
    return order


def topological_order(*roots: Any) -> list[Any]:
    """The roots and all Values they depend on, without leaves and constants: each once, after its operands."""
    return depth_first([root for root in roots if root.first is not None], _computed)


def _computed(node: Any) -> Sequence[Any]:
    """The operands of a node that are computed themselves."""
    first, second = node.first, node.second
    if type(first) is tuple:
        weights = () if type(node.d_second) is list else first
        inputs = second if type(second) is tuple else ()
        return [operand for operand in (*weights, *inputs) if operand.first is not None]
    if second is None or type(second) is float or second.first is None:
        return () if type(first) is float or first.first is None else (first,)
    return (second,) if type(first) is float or first.first is None else (first, second)


def refuse_undefined(root: Any) -> None:
    """Raise the error of the first operation under the root whose derivative does not exist at its number."""
    if Undefined.alive:  # seldom, so that nobody else pays for the walk
        for node in topological_order(root):
            if node.d_first.__class__ is Undefined:
                raise node.d_first.error()


def zeroed_order(root: Any) -> list[Any]:
    """Set `grad` to 0 on every computed node, and return them in topological order.

    Every backward pass needs this walk, so it is written out on the slots, and takes a half to a fifth of the time of
    `topological_order`. It recognises a visited node by the zero object that it has put into its `grad`.
    """
    # A new object at every call, or the zeros of the last pass would pass for visited. CPython tells equal floats apart.
    zero = float("0")
    order: list[Any] = []
    stack: list[Any] = [] if root.first is None else [root]
    # A chain, each node the only computed operand of the one before, needs no entries on the stack. If it ends in a visited
    # node, that node is in the order: a graph has no cycles.
    run: list[Any] = []
    push, pop, append, extend = stack.append, stack.pop, order.append, run.append
    while stack:
        node = pop()
        if node is None:  # all operands of the node below are in the order
            append(pop())
            continue
        while node.grad is not zero:
            node.grad = zero
            first, second = node.first, node.second
            if type(first) is tuple:
                inner: Any = []
                if type(node.d_second) is not list:
                    inner += [operand for operand in first if operand.first is not None]
                if type(second) is tuple:
                    for operand in second:  # a comprehension would cost a call, before Python 3.12
                        if operand.first is not None and operand.grad is not zero:
                            inner.append(operand)
                if not inner:
                    append(node)
                    break
                inner.reverse()
            elif second is None or type(second) is float or second.first is None:
                if type(first) is float or first.first is None:
                    append(node)
                    break
                extend(node)
                node = first
                continue
            elif type(first) is float or first.first is None:
                extend(node)
                node = second
                continue
            else:
                inner = None
            if run:
                for waiting in run:
                    push(waiting)
                    push(None)
                run.clear()
            push(node)
            push(None)
            if inner is None:
                push(second)
                node = first
            else:
                node = inner.pop()
                stack += inner
        if run:
            run.reverse()
            order += run
            run.clear()
    return order


def backpropagate(order: list[Any]) -> None:
    """The lecture's backward pass: `reverse` with the recorded partials, on each node's own `grad`.

    It starts from the `grad` of the last node. Plain numbers get no gradient. Written out on the slots it takes half the
    time of the general sweep, which keeps its adjoints in a dict.
    """
    for node in reversed(order):
        grad, first, second = node.grad, node.first, node.second
        if second is None or type(second) is float:
            first.grad = first.grad + node.d_first * grad
        elif type(first) is tuple:
            for operand, partial in zip(first, node.d_first):  # noqa: B905  # equally long
                operand.grad = operand.grad + partial * grad
            if type(second) is tuple:
                for operand, partial in zip(second, node.d_second):  # noqa: B905  # the bias comes last
                    operand.grad = operand.grad + partial * grad
        else:
            if type(first) is not float:
                first.grad = first.grad + node.d_first * grad
            second.grad = second.grad + node.d_second * grad


# The two general sweeps, mirror images of each other. Adjoints, tangents and partials can be anything that has * and +:
# floats, arrays, or nodes, which then record a graph of derivatives.


def reverse(order: list[Any], adjoints: dict[Any, Any], partials: Callable[[Any], Any]) -> None:
    """Given ∂C/∂node for the last nodes, put ∂C/∂node for all nodes before them into `adjoints`.

    partials(node) gives one partial per parent; None for a parent whose adjoint is not needed.
    """
    for node in reversed(order):
        adjoint = adjoints.get(node)
        if adjoint is not None:
            for parent, partial in zip(node.parents, partials(node), strict=True):
                if partial is not None:
                    term = partial * adjoint
                    adjoints[parent] = adjoints[parent] + term if parent in adjoints else term


def forward(order: list[Any], tangents: dict[Any, Any], partials: Callable[[Any], Any]) -> None:
    """Given ∂node/∂t for the first nodes, put ∂node/∂t for all nodes after them into `tangents`.

    partials(node) gives one partial per parent; None for a parent whose tangent is not needed.
    """
    for node in order:
        if tangents.keys().isdisjoint(node.parents):
            continue  # nothing moves it
        for parent, partial in zip(node.parents, partials(node), strict=True):
            tangent = tangents.get(parent)
            if tangent is not None and partial is not None:
                term = partial * tangent
                tangents[node] = tangents[node] + term if node in tangents else term


# How a node packs its operands.


class Undefined:
    """Takes the place of local derivatives that do not exist at the recorded numbers, and knows the error that says so."""

    __slots__ = ("__weakref__", "_kind", "_message")

    alive: ClassVar[WeakSet[Undefined]] = WeakSet()

    def __new__(cls, *_: Any) -> Undefined:  # copies and unpickled ones are made without `__init__`
        made = super().__new__(cls)
        cls.alive.add(made)
        return made

    def __init__(self, error: Exception) -> None:
        self._kind, self._message = type(error), str(error)

    def error(self) -> Exception:
        """A new error each time: one that has been raised keeps its frames alive, and with them the graph."""
        return self._kind(self._message)


class Constants:
    """The inputs of a `dot` that are all plain numbers, followed by a 1; converted to nodes on first use."""

    __slots__ = ("made", "numbers")

    def __init__(self, numbers: list[float], made: tuple[Any, ...] | None = None) -> None:
        self.numbers, self.made = numbers, made

    def nodes(self, constant: Callable[[float], Any]) -> tuple[Any, ...]:
        """The inputs as nodes, made by `constant`: the same nodes each time."""
        if self.made is None:
            with _unpacking:
                self.made = self.made or tuple(map(constant, self.numbers[:-1]))
        return self.made


_unpacking = Lock()  # a number is made a node once, whichever thread asks first


def parents(node: Any) -> tuple[Any, ...]:
    """The operands in order; a `dot` has its weights, its bias, then its inputs."""
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
                node.first = node._constant(node.first)
            if type(node.second) is float:
                node.second = node._constant(node.second)
    return node.first, node.second


def partials(node: Any) -> tuple[float, ...]:
    """The local derivatives as recorded, one per parent. Raises the operation's error where they do not exist."""
    first, second = node.first, node.second
    if type(first) is tuple:
        if node.d_first.__class__ is Undefined:
            raise node.d_first.error()
        return (*node.d_first, *node.d_second[: len(node.d_first) - 1])
    return () if first is None else (node.d_first,) if second is None else (node.d_first, node.d_second)


def dot_parts(node: Any) -> tuple[tuple[Any, ...], tuple[Any, ...], Any]:
    """The weights, the inputs and the bias of a `dot`. All neurons of a layer give the same tuple of inputs."""
    *weights, bias = node.first
    return tuple(weights), _inputs(node), bias


def _inputs(node: Any) -> tuple[Any, ...]:
    inputs = node.second
    return inputs if type(inputs) is tuple else inputs.nodes(node._constant)


# A node's row of the table, applied to other operands: numbers or nodes, one per parent.


def value_of(node: Any, operands: Sequence[Any]) -> float:
    """The value of the node's operation at these numbers."""
    return node.op.value(*_packed(node, operands))  # type: ignore[no-any-return]


def rule_of(node: Any, operands: Sequence[Any], result: Any) -> tuple[Any, ...]:
    """The partial derivatives of the node's operation at these operands, by its rule: one per operand."""
    found = node.op.partials(*_packed(node, operands), result)
    return (*found[0], *found[1][:-1]) if type(node.d_first) is list else found


def _packed(node: Any, operands: Sequence[Any]) -> Sequence[Any]:
    """The operands as the row takes them; that of `dot` takes two sequences."""
    if type(node.d_first) is not list:
        return operands
    n = len(node.first)
    return operands[:n], (*operands[n:], 1.0)
