"""Functions of several Values: `dot`, `maximum`, `minimum`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import ops
from .graph import Constants
from .value import Operand, Value, as_floats, as_value, as_values, binary, new


def maximum(a: Operand, b: Operand) -> Value:
    """The larger of two values; a tie, and its gradient, goes to the first.

    >>> a, b = Value(2.0), Value(3.0)
    >>> maximum(a, b).backward()
    >>> a.grad, b.grad
    (0.0, 1.0)
    """
    return binary(ops.maximum)(as_value(a), as_value(b))


def minimum(a: Operand, b: Operand) -> Value:
    """The smaller of two values; a tie, and its gradient, goes to the first.

    >>> minimum(Value(2.0), 3).data
    2.0
    """
    return binary(ops.minimum)(as_value(a), as_value(b))


def dot(weights: Sequence[Operand], inputs: Sequence[Operand], bias: Operand = 0.0) -> Value:
    """Σ_j w_j x_j + b as one node: the lecture's z. A ValueError unless there are as many inputs as weights.

    >>> dot([Value(2.0), Value(3.0)], [10.0, 1.0], bias=0.5).data
    23.5
    """
    return dots([(as_values(weights), bias)], inputs)[0]


def dots(rows: Sequence[tuple[Sequence[Operand], Operand]], inputs: Sequence[Operand]) -> list[Value]:
    """One `dot` per row (weights, bias), all of the same inputs: a layer's z, its inputs looked at once."""
    numbers = as_floats(inputs)
    if numbers is None:
        second: Any = as_values(inputs)
        x = [value._data for value in second]
    else:
        second, x = Constants(numbers), [*numbers]
    x.append(1.0)
    dot_value, dot_partials = ops.dot.value, ops.dot.partials
    nodes = []
    for weights, bias in rows:
        first = (*weights, bias)
        try:
            w = [weight._data for weight in first]  # type: ignore[union-attr]
        except AttributeError:
            first = as_values(first)
            w = [weight._data for weight in first]
        if len(w) != len(x):
            raise ValueError(f"{len(w) - 1} weights met {len(x) - 1} inputs: there must be one weight per input")
        y = dot_value(w, x)
        node = new(Value)
        node._data = y
        node.grad = 0.0
        node.label = ""
        node.op = ops.dot
        node.first, node.second = first, second
        node.d_first, node.d_second = dot_partials(w, x, y)
        nodes.append(node)
    return nodes
