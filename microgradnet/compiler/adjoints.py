"""Adjoints of arrays: partial derivatives as linear maps, and derivatives in parts.

The adjoint of an array is ∂C/∂array, an array of the same shape. If other arrays take slots of an array, its adjoint comes in
parts, which are combined when the whole is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from .. import ops
from . import array_ops

Slots: TypeAlias = tuple[int, ...]


class Linear:
    """A partial derivative of an array by an array: the map that takes ∂C/∂result to ∂C/∂operand."""

    def __init__(self, apply: Callable[[Any], Any]) -> None:
        self.apply = apply

    def __mul__(self, adjoint: Any) -> Any:
        if isinstance(adjoint, Parts):
            adjoint = adjoint.together()
        return adjoint if _is_zero(adjoint) else self.apply(adjoint)


class Parts:
    """An adjoint that comes in parts: what belongs to some slots of an array, as the adjoints of `take` do.

    like: the array. parts: slots and the array that belongs there; None stands for all slots.
    """

    def __init__(self, like: Any, parts: list[tuple[Slots | None, Any]]) -> None:
        self.like, self.parts = like, parts
        self._together: Any = None

    def __add__(self, other: Any) -> Any:
        if _is_zero(other):
            return self
        return Parts(self.like, [*self.parts, *(other.parts if isinstance(other, Parts) else [(None, other)])])

    def __radd__(self, other: Any) -> Any:
        return self if _is_zero(other) else Parts(self.like, [(None, other), *self.parts])

    def together(self) -> Any:
        """The adjoint as one array."""
        if self._together is None:
            self._together = _together(self.like, self.parts)
        return self._together


def _together(like: Any, parts: Sequence[tuple[Slots | None, Any]]) -> Any:
    """The sum of parts that belong to some slots of an array or to all of them."""
    total: Any = 0.0
    for slots, array in parts:
        total = total + array if slots is None else total
    some = [(slots, array) for slots, array in parts if slots is not None]
    if not some:
        return total
    return total + like.graph.regroup(_gathered(like, some), like.shape.rows, like.shape.columns)


def _gathered(like: Any, parts: Sequence[tuple[Slots, Any]]) -> Any:
    """The sum of all parts at each slot: a table takes for each slot its numbers, one below the other, filled up with zeros."""
    graph, size = like.graph, like.shape.slots
    taken = [slot for slots, _ in parts for slot in slots]
    first = parts[0][1]
    alike = all(array.op == array_ops.uniform and array.detail == first.detail for _, array in parts)
    if alike and sorted(taken) == list(range(size)):
        return graph.uniform(first.shape._replace(rows=size, columns=1), *first.detail)
    columns = [graph.regroup(array, array.shape.slots, 1) for _, array in parts]
    coming: list[list[int]] = [[] for _ in range(size)]
    for number, slot in enumerate(taken):
        coming[slot].append(number)
    for slot in _numbers_in(like):
        coming[slot] = []
    everything = graph.stack(columns)
    zero = everything.shape.slots
    if min(map(len, coming)) < max(map(len, coming)):
        everything = graph.stack([*columns, graph.row_of(0.0)])
    groups = _by_number(coming)
    made = []
    for slots in groups:
        deep = max(1, *[len(coming[slot]) for slot in slots])
        table = [coming[slot][m] if m < len(coming[slot]) else zero for m in range(deep) for slot in slots]
        sums = graph.reduce(ops.add, graph.take(everything, table, deep, len(slots)))
        made.append(graph.regroup(sums, len(slots), 1))
    if len(made) == 1:
        return made[0]
    at = {slot: i for i, slot in enumerate([slot for slots in groups for slot in slots])}
    return graph.take(graph.stack(made), [at[slot] for slot in range(size)], size, 1)


def _by_number(coming: list[list[int]]) -> list[list[int]]:
    """The slots in one group, or in several with similarly many numbers each where padding would cost too much."""
    most, total = max(map(len, coming)), sum(map(len, coming))
    if most * len(coming) <= 2 * (total + len(coming)):
        return [list(range(len(coming)))]
    groups: dict[int, list[int]] = {}
    for slot, numbers in enumerate(coming):
        groups.setdefault(max(1, len(numbers)).bit_length(), []).append(slot)
    return list(groups.values())


def _numbers_in(a: Any) -> list[int]:
    """The slots of a stack that hold constants, which need no derivative."""
    found: list[int] = []
    start = 0
    for part in a.args if a.op == array_ops.stack else ():
        end = start + part.shape.rows * a.shape.columns
        found += range(start, end) if part.op == array_ops.constants else ()
        start = end
    return found


def _is_zero(adjoint: Any) -> bool:
    return type(adjoint) is float and adjoint == 0.0
