"""Work arrays: where each statement of a program writes. A work array is reused once its contents are no longer read.

A work array has a number of slots, each with one number per sample or a single one. Every array occupies a run of slots in
a work array. The parts of a stack are computed in their places within the stack; slices and regroupings share the
run of the array they show.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Container, Sequence
from typing import NamedTuple

from . import array_ops
from .array_graph import Array, Shape


class Run(NamedTuple):
    """Where an array lies: the number of the work array, the first slot, and in which shape."""

    work: int
    start: int
    shape: Shape


class WorkArrays:
    """The places of the nodes of a program.

    order: the nodes that a statement computes, operands first. roots: those read at the end. elsewhere: those that have a
    place of their own. `sizes`: per work array, its slots and whether they vary; `fixed`: runs with a constant that
    stays there, and the constant.
    """

    def __init__(self, order: Sequence[Array], roots: Sequence[Array], elsewhere: Container[Array] = ()) -> None:
        self.sizes: list[tuple[int, bool]] = []
        self.fixed: list[tuple[Run, str]] = []
        self._run: dict[Array, Run] = {}
        self._stacked: dict[Array, tuple[Array, int]] = {}  # nodes that are computed within a stack
        self._free: dict[bool, dict[int, list[int]]] = {True: {}, False: {}}  # by whether they vary, and slots
        self._parts: Counter[Array] = Counter()  # how many nodes are computed within a stack
        self._users: Counter[int] = Counter()  # arrays in a work array that are still read
        self._kept: set[int] = set()  # work arrays with constants are not reused
        self._elsewhere = elsewhere
        self.readers = Counter([owner for node in order for owner in owners(node)])
        self.readers.update(map(owner_of, roots))
        for node in order:
            if node.op == array_ops.stack:
                self._place_parts(node)
        for node in order:
            last = [owner for owner in owners(node) if self._is_last_reader(owner)]
            if (
                is_elementwise(node) and node not in self._stacked
            ):  # it may overwrite an operand of its shape that is not read afterwards
                for owner in [owner for owner in last if owner.shape == node.shape]:
                    self._release(owner)
                    last.remove(owner)
            if node not in elsewhere and node not in self._run:
                self._allocate(node)
            for owner in last:
                self._release(owner)

    def run(self, array: Array) -> Run | None:
        """The place of an array; None if it is not in a work array."""
        start, shape = 0, array.shape
        while array.op in (array_ops.regroup, array_ops.take):
            if array.op == array_ops.take:
                if not is_slice(array):
                    break
                start += array.detail[0]
            (array,) = array.args
        run = self._run.get(array)
        return None if run is None else Run(run.work, run.start + start, shape)

    def is_in_place(self, stack: Array, part: Array, start: int) -> bool:
        """Whether a part of a stack is already in its place: computed there, or a constant."""
        inner = _inner(part)
        return self._stacked.get(inner) == (stack, start) or part.op == array_ops.constants

    def _place_parts(self, stack: Array) -> None:
        start = 0
        for part in stack.args:
            inner = _inner(part)
            fits = part.shape.columns == stack.shape.columns and part.shape.varies == stack.shape.varies
            free = inner.op != array_ops.stack and inner not in self._stacked and inner not in self._elsewhere
            if fits and free and is_computed(inner):
                self._stacked[inner] = stack, start
                self._parts[stack] += 1
            start += part.shape.rows * stack.shape.columns

    def _allocate(self, node: Array) -> None:
        if node in self._stacked:
            stack, start = self._stacked[node]
            if stack not in self._run:
                self._allocate(stack)
            self._run[node] = Run(self._run[stack].work, start, node.shape)
            return
        number = self._fixed_rows(node)
        if number is None:
            number = self._free_one(node.shape.slots, node.shape.varies)
        self._run[node] = Run(number, 0, node.shape)
        self._users[number] = 1 + self._parts[node]

    def _fixed_rows(self, node: Array) -> int | None:
        """A new work array for a stack with constants, which stay in it; None for other nodes."""
        if node.op != array_ops.stack or not any(part.op == array_ops.constants for part in node.args):
            return None
        number, start, columns = len(self.sizes), 0, node.shape.columns
        self.sizes.append((node.shape.slots, node.shape.varies))
        self._kept.add(number)
        for part in node.args:
            rows = part.shape.rows
            if part.op == array_ops.constants:
                shape = Shape(1, columns, node.shape.varies)
                for r in range(rows):
                    text = part.detail[r * part.shape.columns] if len(part.detail) > 1 else part.detail[0]
                    self.fixed.append((Run(number, start + r * columns, shape), text))
            start += rows * columns
        return number

    def _free_one(self, slots: int, varies: bool) -> int:
        """The smallest free work array that is large enough; else the largest free one, enlarged; else a new one."""
        free = self._free[varies]
        sizes = sorted(free)
        if not sizes:
            self.sizes.append((slots, varies))
            return len(self.sizes) - 1
        size = sizes[min(bisect_left(sizes, slots), len(sizes) - 1)]
        number = free[size].pop()  # the one used last is still in the cache
        if not free[size]:
            del free[size]
        self.sizes[number] = max(slots, size), varies
        return number

    def _is_last_reader(self, owner: Array) -> bool:
        self.readers[owner] -= 1
        return self.readers[owner] == 0 and owner in self._run

    def _release(self, owner: Array) -> None:
        number = self._run[owner].work
        self._users[number] -= 1
        if self._users[number] == 0 and number not in self._kept:
            slots, varies = self.sizes[number]
            self._free[varies].setdefault(slots, []).append(number)


def is_slice(take: Array) -> bool:
    """Whether a `take` is a slice of whole rows, and so a view. Slices of the parameters are views of another kind."""
    source, slots = take.args[0], take.detail
    if source.op == array_ops.flat:
        return False
    columns = source.shape.columns
    in_rows: bool = slots[0] % columns == 0 == len(slots) % columns
    return in_rows and slots == tuple(range(slots[0], slots[0] + len(slots)))


def is_view(node: Array) -> bool:
    """Whether it only shows its operand, so that no statement computes it."""
    if node.op == array_ops.take:
        return is_slice(node)
    return node.op in (array_ops.regroup, array_ops.transpose, array_ops.stretch)


def is_computed(node: Array) -> bool:
    """Whether a statement computes it."""
    return (
        bool(node.parents)
        and not is_view(node)
        and not (node.op == array_ops.take and node.args[0].op == array_ops.flat)
    )


def is_elementwise(node: Array) -> bool:
    """Whether each of its numbers depends only on the numbers at the same place of its operands."""
    return node.op.array is not None


def owner_of(node: Array) -> Array:
    """The array whose numbers a view shows."""
    while is_view(node):
        node = node.args[0]
    return node


def owners(node: Array) -> list[Array]:
    """The arrays whose numbers a node's statement reads, each once."""
    return list(dict.fromkeys(map(owner_of, node.parents)))


def _inner(part: Array) -> Array:
    while part.op == array_ops.regroup:
        (part,) = part.args
    return part
