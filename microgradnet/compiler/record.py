"""Recording a function of Values: its graph, on inputs made up for the purpose, and whether it can stand for others.

A program compiled from one recording is right for all inputs if the function did not look at their numbers, and if it
records the same graph again. Both are checked here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from operator import is_
from threading import RLock, get_ident
from typing import Any, NamedTuple

import numpy as np

from .. import ops, value
from .._validation import describe
from ..graph import dot_parts, topological_order
from ..value import Value


class Recording(NamedTuple):
    """A recorded function: the leaves of each input, the outputs, and whether these came as a sequence."""

    inputs: list[list[Value]]
    outputs: list[Value]
    several: bool


_RANGES = ((0.0, 1.0), (3.0, -3.0), (9.0, 2.0), (0.9, 0.3), (0.0, -1.0))  # of inputs, until two lie in the domain
ONE_AT_A_TIME = RLock()  # recordings and orders of graphs that threads may share, for an order marks the nodes


def record(function: Callable[..., Any], sizes: Sequence[int]) -> Recording:
    """Record a function that takes one list of Values per size and gives a Value or a sequence of them.

    A TypeError if it gives anything else; a ValueError if its graph depends on the numbers of its inputs, or differs
    from one call to the next.
    """
    for size in sizes:
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
            raise ValueError(f"{describe(size)} arrived where an input's size was wanted: a whole number, at least 1")
    with ONE_AT_A_TIME:
        return _record(function, sizes)


def _record(function: Callable[..., Any], sizes: Sequence[int]) -> Recording:
    recordings: list[Recording] = []
    errors: list[Exception] = []
    for low, high in _RANGES:
        inputs = _inputs(sizes, low, high)
        try:
            result, looked_at = call(function, inputs)
        except (ArithmeticError, ValueError) as error:  # outside a domain, perhaps
            errors.append(error)
            continue
        if _any_varies(looked_at, inputs):
            raise ValueError(
                "the function looks at numbers that depend on its inputs (an `if`, a comparison, max(), or a .data), so "
                "one recording cannot stand for all: use maximum, minimum, relu, step or abs, and the Values themselves"
            )
        several = not isinstance(result, Value)
        outputs = [result] if isinstance(result, Value) else list(result) if hasattr(result, "__iter__") else []
        if not outputs or not all(isinstance(output, Value) for output in outputs):
            raise TypeError(f"the function gave {describe(result)} where a Value or a sequence of Values was wanted")
        recordings.append(Recording(inputs, outputs, several))
        if len(recordings) == 2:
            if not same_program(*recordings):
                raise ValueError(
                    "the function records another graph when it is called again: draw random numbers and make parameters "
                    "outside of it"
                )
            break
    if not recordings:
        raise errors[0]
    return recordings[0]


def _inputs(sizes: Sequence[int], low: float, high: float) -> list[list[Value]]:
    golden = (math.sqrt(5.0) - 1.0) / 2.0  # fractions of its multiples are spread evenly
    fractions = (n * golden % 1.0 for n in range(1, sum(sizes) + 1))
    return [[Value(low + (high - low) * next(fractions)) for _ in range(size)] for size in sizes]


def call(function: Callable[..., Any], inputs: list[list[Value]]) -> tuple[Any, list[Value]]:
    """The function's result, and the Values at whose numbers it looked."""
    looks: list[tuple[int, Value]] = []
    value.looked_at = looks
    try:
        result = function(*[list(values) for values in inputs])
    finally:
        value.looked_at = None
    return result, [looked for thread, looked in looks if thread == get_ident()]


def _any_varies(values: list[Value], inputs: list[list[Value]]) -> bool:
    varying = {x for xs in inputs for x in xs}
    for node in topological_order(*values) if values else []:
        if any(parent in varying for parent in node.parents):
            varying.add(node)
    return any(v in varying for v in values)


def same_program(one: Any, other: Any) -> bool:
    """Whether two recordings of a function, each its inputs and its outputs, differ in the numbers alone."""
    twins: dict[Value, Value] = {}
    for values, others in zip(one[0], other[0], strict=True):
        twins.update(zip(values, others, strict=True))
    vectors: set[tuple[int, int]] = set()  # inputs of dots that were compared already

    def alike(a: Value, b: Value) -> bool:
        if a is b or twins.get(a) is b:
            return True
        return a.op == b.op == ops.constant and repr(a.data) == repr(b.data)  # NaN is alike, too

    def all_alike(a: Sequence[Value], b: Sequence[Value]) -> bool:
        return len(a) == len(b) and (all(map(is_, a, b)) or all(map(alike, a, b)))

    def same_operands(a: Value, b: Value) -> bool:
        if a.op != ops.dot:
            return all_alike(a.parents, b.parents)
        (a_weights, a_inputs, a_bias), (b_weights, b_inputs, b_bias) = dot_parts(a), dot_parts(b)
        vector = id(a_inputs), id(b_inputs)
        same = all_alike([*a_weights, a_bias], [*b_weights, b_bias]) and (
            vector in vectors or all_alike(a_inputs, b_inputs)
        )
        vectors.add(vector)
        return same

    orders = topological_order(*one[1]), topological_order(*other[1])
    if len(orders[0]) != len(orders[1]):
        return False
    for a, b in zip(*orders, strict=True):
        if a.op != b.op or not same_operands(a, b):
            return False
        twins[a] = b
    return all_alike(one[1], other[1])


def leaves(parameters: Value | Sequence[Value]) -> list[Value]:
    """What was given as parameters, each a leaf and there once."""
    given = [parameters] if isinstance(parameters, Value) else list(parameters)
    for leaf in given:
        if not isinstance(leaf, Value) or leaf.op != ops.leaf:
            raise TypeError(f"{describe(leaf)} arrived in parameters, where Values made by Value(…) were wanted")
    if len(set(given)) < len(given):
        raise ValueError("a Value arrived in parameters twice: wanted is each once")
    return given
