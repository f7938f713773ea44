"""Functions of several Values: `dot`, `maximum`, `minimum`.

What they compute is stated in `ops`; here are their arguments, and how a `dot` is recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import ops
from .graph import Constants
from .value import Operand, Value, as_value, as_values, binary, empty_node, flat


def maximum(a: Operand, b: Operand) -> Value:
    """The larger of two values. A tie, and its gradient, goes to the first.

    >>> a, b = Value(2.0), Value(3.0)
    >>> maximum(a, b).backward()
    >>> a.grad, b.grad
    (0.0, 1.0)
    """
    return binary(ops.maximum)(as_value(a), as_value(b))


def minimum(a: Operand, b: Operand) -> Value:
    """The smaller of two values. A tie, and its gradient, goes to the first.

    >>> minimum(Value(2.0), 3).data
    2.0
    """
    return binary(ops.minimum)(as_value(a), as_value(b))


def dot(weights: Sequence[Operand], inputs: Sequence[Operand], bias: Operand = 0.0) -> Value:
    """Σ_j w_j x_j + b as one node: the lecture's z. Raises a ValueError unless there are as many inputs as weights.

    >>> dot([Value(2.0), Value(3.0)], [10.0, 1.0], bias=0.5).data
    23.5
    """
    return dot_node(flat(weights), bias, *dot_inputs(flat(inputs)))


_FLOATS, _VALUES = {float}, {Value}

# Recording a `dot` takes two steps, because the neurons of a layer share their inputs.


def dot_inputs(inputs: Sequence[Operand]) -> tuple[tuple[Value, ...] | Constants, list[float]]:
    """The inputs of a `dot` as a node keeps them, and their numbers with a 1 for the bias."""
    kinds = {*map(type, inputs)}
    if kinds == _FLOATS:
        x = [*inputs, 1.0]
        return Constants(x), x  # type: ignore[arg-type, return-value]  # floats alone
    values: Any = tuple(inputs) if kinds == _VALUES else as_values(inputs)
    return values, [*[value._data for value in values], 1.0]


def dot_node(weights: Sequence[Operand], bias: Operand, inputs: tuple[Value, ...] | Constants, x: list[float]) -> Value:
    """The `dot` of weights and bias with inputs that `dot_inputs` made."""
    first: Any = (*weights, bias)
    try:
        w = [weight._data for weight in first]
    except AttributeError:  # plain numbers among them
        first = as_values(first)
        w = [weight._data for weight in first]
    if len(w) != len(x):
        raise ValueError(f"{len(w) - 1} weights met {len(x) - 1} inputs: give one weight per input")
    op = ops.dot
    node = empty_node(Value)
    node._data = y = op.value(w, x)
    node.grad = 0.0
    node.label = ""
    node.op = op
    node.first = first
    node.second = inputs
    node.d_first, node.d_second = op.partials(w, x, y)
    return node
