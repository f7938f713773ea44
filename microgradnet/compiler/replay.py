"""Replay: finds the sample and the operation that caused a floating-point error.

The sample is found by halving the batch. Its graph is then recorded again with its numbers; the errors of Values name
operation, number and label.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .. import ops
from ..functions import dot
from ..graph import dot_parts, topological_order
from ..value import Value
from .record import Recording

Numbers: TypeAlias = npt.NDArray[Any]


def first_failing(fails: Callable[[slice], bool], start: int, stop: int) -> int:
    """The first sample of those from start to stop that fails, where a batch fails if one of its samples does."""
    low, high = start, stop
    while high - low > 1:
        middle = (low + high) // 2
        if fails(slice(low, middle)):
            high = middle
        else:
            low = middle
    return low


def replay(
    recording: Recording,
    parameters: Sequence[Value],
    sample: Sequence[Sequence[float]],
    theta: Sequence[float],
    derivatives: bool,
    single: bool,
) -> list[float]:
    """Record the graph again with these numbers; the operation that caused the error raises it.

    sample: the numbers of each input; theta: of the parameters. derivatives: take those by the parameters, too. single:
    round every number to float32, where what becomes infinite is an OverflowError. Gives the outputs or, with derivatives,
    the first output and its gradient.
    """
    now = {p: Value(number, p.label) for p, number in zip(parameters, theta, strict=True)}
    for values, numbers in zip(recording.inputs, sample, strict=True):
        now |= {value: Value(number, value.label) for value, number in zip(values, numbers, strict=True)}
    moved = {*parameters}  # what depends on a parameter
    for node in topological_order(*recording.outputs):
        now[node] = recorded_again(node, now)
        if single:
            _refuse_overflow(now[node])
        if moved.isdisjoint(node.parents):
            now[node] = Value(now[node]._data, node.label)  # no derivative by a parameter goes through it
        else:
            moved.add(node)
    outputs = [now.get(output, output) for output in recording.outputs]
    if not derivatives:
        return [output._data for output in outputs]
    outputs[0].backward()
    return [outputs[0]._data, *[now[p].grad for p in parameters]]


def _refuse_overflow(node: Value) -> None:
    """An OverflowError for a number beyond float32."""
    number = node._data
    with np.errstate(over="ignore"):
        rounded = float(np.float32(number))
    if math.isinf(rounded) and math.isfinite(number):
        operands = " and ".join([repr(parent._data) for parent in node.parents])
        raise OverflowError(
            f"'{node.op}' of {operands} is {number}, beyond float32 (at most 3.4e38): compile it with dtype=numpy.float64"
        )


def recorded_again(node: Value, now: Mapping[Value, Value]) -> Value:
    """The node, recorded again with new operands. An operand that is not in `now` stays the same."""

    def at(value: Value) -> Value:
        return now.get(value, value)

    if node.op == ops.dot:
        weights, inputs, bias = dot_parts(node)
        again = dot([*map(at, weights)], [*map(at, inputs)], at(bias))
    else:
        again = node.op(*map(at, node.parents))
    again.label = node.label
    return again
