"""Functions of several Values: `dot`, `maximum`, `minimum`, `softmax`, `logsumexp`.

What the first three compute is stated in `ops`; here are their arguments, and how a `dot` is recorded. The other two
are written with operations of the table, so what follows from a row holds for them as well.
"""

# A recorder gives a Value.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any

from . import ops
from ._validation import flat
from .graph import Constants
from .value import Operand, Value, as_value, as_values, empty_node


def maximum(a: Operand, b: Operand) -> Value:
    """The larger of two values. A tie, and its gradient, goes to the first.

    >>> a, b = Value(2.0), Value(3.0)
    >>> maximum(a, b).backward()
    >>> a.grad, b.grad
    (0.0, 1.0)
    """
    return ops.maximum.recorder(as_value(a), as_value(b))


def minimum(a: Operand, b: Operand) -> Value:
    """The smaller of two values. A tie, and its gradient, goes to the first.

    >>> minimum(Value(2.0), 3).data
    2.0
    """
    return ops.minimum.recorder(as_value(a), as_value(b))


def dot(weights: Sequence[Operand], inputs: Sequence[Operand], bias: Operand = 0.0) -> Value:
    """Σ_j w_j x_j + b as one node: the lecture's z. Raises a ValueError unless there are as many inputs as weights.

    >>> dot([Value(2.0), Value(3.0)], [10.0, 1.0], bias=0.5).data
    23.5
    """
    return dot_node(flat(weights), bias, *dot_inputs(flat(inputs)))


# Both below subtract the largest number first, so that no exponential overflows. At any z_j, the rounding of that difference
# costs what rounding z_j itself did.


def softmax(values: Sequence[Operand]) -> list[Value]:
    """The shares e^{z_j} / Σ_i e^{z_i}, one per number: positive, with the sum 1.

    values: a flat sequence of at least one number or Value, of any size; a ValueError if it is empty. −∞ beside a finite number
    is a mask: its share is 0. +∞ among them, or −∞ alone, makes every share NaN, as ∞ − ∞ is.

    Derivatives are right entry by entry where one share is nearly 1: that of p_j is p_j (1 − p_j) down to the smallest
    floats.

    >>> [p.data for p in softmax([Value(1000.0), Value(1000.0), -1000.0])]
    [0.5, 0.5, 0.0]
    """
    z = _some(values, "softmax")
    largest = reduce(
        maximum, z
    )  # not detached: 1 − p_j of the largest is then the sum of the others, with nothing cancelled
    powers = [(z_j - largest).exp() for z_j in z]
    total = reduce(add, powers)
    return [power / total for power in powers]


def logsumexp(values: Sequence[Operand]) -> Value:
    """ln Σ_j e^{z_j}, the smooth maximum, whose gradient is the softmax.

    values: as for `softmax`. ln(1 + small) keeps the digits of what is small: logsumexp of 0 and −50 is 1.9e-22.

    >>> z = Value(-50.0)
    >>> soft = logsumexp([0.0, z])
    >>> soft.backward()
    >>> soft.data, z.grad  # e⁻⁵⁰ both
    (1.9287498479639178e-22, 1.9287498479639178e-22)
    >>> logsumexp([1000.0, 1000.0]).data  # 1000 + ln 2
    1000.6931471805599
    """
    z = _some(values, "logsumexp")
    largest = reduce(maximum, z).detach()  # it is subtracted and added: its derivative is 0
    return largest + log_of_powers([z_j - largest for z_j in z])


def log_of_powers(d: Sequence[Value]) -> Value:
    """ln Σ_j e^{d_j} for numbers of which none is positive and the largest is 0.

    The number k of those that are 0 is taken out of the sum: ln k + ln(1 + (Σ − k) / k). Each e⁰ is taken out by
    itself, for a difference of sums would have lost what is small beside 1.
    """
    zeros = [d_j.step() for d_j in d]
    k = reduce(add, zeros)
    rest = reduce(add, [d_j.exp() - zero for d_j, zero in zip(d, zeros, strict=True)])
    return k.log() + ops.xlog1my(1.0, -rest / k)


def _some(values: Sequence[Operand], name: str) -> tuple[Value, ...]:
    z = as_values(values)
    if not z:
        raise ValueError(f"no number arrived in {name}: give at least one")
    return z


_FLOATS, _VALUES = {float}, {Value}

# Recording a `dot` takes two steps, because the neurons of a layer share their inputs.


def dot_inputs(inputs: Sequence[Operand]) -> tuple[tuple[Value, ...] | Constants, list[float]]:
    """The inputs of a `dot` as a node keeps them, and their numbers with a 1 for the bias."""
    kinds = {*map(type, inputs)}
    if kinds == _FLOATS:
        x: list[Any] = [*inputs, 1.0]
        return Constants(x), x
    values: Any = tuple(inputs) if kinds == _VALUES else as_values(inputs)
    x = [value._data for value in values]
    x.append(1.0)
    return values, x


def dot_node(weights: Sequence[Operand], bias: Operand, inputs: tuple[Value, ...] | Constants, x: list[float]) -> Value:
    """The `dot` of weights and bias with inputs that `dot_inputs` made."""
    first: Any = (*weights, bias)
    try:
        w: Any = [weight._data for weight in first if weight.first is None]
    except AttributeError:  # plain numbers among them
        first = as_values(first)
        w = [weight._data for weight in first if weight.first is None]
    if len(w) != len(first):  # computed weights
        w = tuple([weight._data for weight in first])
    if len(w) != len(x):
        raise ValueError(f"{len(w) - 1} weights met {len(x) - 1} inputs: give one weight per input")
    op = ops.dot
    node = empty_node()
    node._data = y = op.value(w, x)
    node.grad = 0.0
    node.label = ""
    node.op = op
    node.first = first
    node.second = inputs
    node.d_first, node.d_second = op.partials(w, x, y)
    return node
