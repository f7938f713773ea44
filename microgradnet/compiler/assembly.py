"""Assembly: from classes of alike terms to the array graph, with one array per class.

A class takes its operands as whole arrays, as slices or as gathered slots, depending on the order of its slots. Operands
that are the same along a row or column of its grid are broadcast.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import ops
from .array_graph import Array, ArrayGraph
from .likeness import INPUTS, NUMBERS, PARAMETERS, PRODUCT, Class, Likeness, operands
from .normal_form import DOT, REDUCTION

_NEUTRAL = {ops.add: 0.0, ops.maximum: -float("inf"), ops.minimum: float("inf")}


class Assembly:
    """The array of every class: `arrays`, in the order of the classes; `theta`, all parameters."""

    def __init__(self, likeness: Likeness, graph: ArrayGraph) -> None:
        self.likeness, self.form, self.graph = likeness, likeness.form, graph
        self.theta = graph.theta(len(self.form.parameters))
        self._inputs = [graph.input(j, size) for j, size in enumerate(self.form.sizes)]
        self.arrays: list[Array] = []
        for found in likeness.classes:
            self.arrays.append(self._array(found))

    def rows(self, numbers: Sequence[int]) -> Array:
        """The array with these terms in its rows."""
        return self._taken(numbers, len(numbers), 1)

    def _array(self, found: Class) -> Array:
        taken = operands(found, self.form.terms)
        if found.kind == PRODUCT:
            return self._product(found, taken[0])
        if found.kind == REDUCTION:
            return self._reduction(found, taken[0])
        if found.kind == DOT:
            return self._dots(found, *taken)
        return self._elementwise(found, taken)

    def _product(self, found: Class, vectors: list[int]) -> Array:
        rows, columns = found.grid
        weights = [number for member in found.members[::columns] for number in self.form.terms[member].operands[0]]
        width = len(vectors) // columns
        matrix = self._taken(weights, rows, width)
        return self.graph.matmul(matrix, self._taken(vectors, width, columns))

    def _reduction(self, found: Class, taken: list[int]) -> Array:
        columns = len(found.members)
        length = len(taken) // columns
        lines = [taken[m * columns : (m + 1) * columns] for m in range(length)]
        sources = [{self.likeness.slot[number][0] for number in line if number >= 0} for line in lines]
        scattered = len(set().union(*sources)) > 1
        if found.op == ops.add and -1 not in taken and scattered and all(len(source) == 1 for source in sources):
            total: Any = self._taken(lines[0], 1, columns)
            for line in lines[1:]:
                total = total + self._taken(line, 1, columns)
            return total  # type: ignore[no-any-return]
        array = self._taken(taken, length, columns, _NEUTRAL[found.op])
        return self.graph.reduce(found.op, array)  # type: ignore[no-any-return]

    def _dots(self, found: Class, lefts: list[int], rights: list[int]) -> Array:
        columns = len(found.members)
        length = len(lefts) // columns
        sources = [{self.likeness.slot[number][0] for number in side if number >= 0} for side in (lefts, rights)]
        to_gather = sum([len(source) for source in sources if len(source) > 1])
        if to_gather + 2 > 2 * length - 1 and -1 not in lefts:  # fewer statements than gathering the factors
            total: Any = 0.0
            for m in range(0, len(lefts), columns):
                part = slice(m, m + columns)
                total = total + self._taken(lefts[part], 1, columns) * self._taken(rights[part], 1, columns)
            return total  # type: ignore[no-any-return]
        product = self._taken(lefts, length, columns, 0.0) * self._taken(rights, length, columns, 0.0)
        product = self.graph.regroup(product, length, columns)  # it may have come out in one column
        return self.graph.reduce(ops.add, product)  # type: ignore[no-any-return]

    def _elementwise(self, found: Class, taken: list[list[int]]) -> Array:
        count = len(found.members)
        rows, columns = self._grid(taken, count)
        result = self.graph.elementwise(found.op, *[self._operand(column, rows, columns) for column in taken])
        if not isinstance(result, Array):
            return self.graph.numbers([result], rows, columns)
        shape = result.shape
        if shape.slots < count:
            return self.graph.stretch(result, shape._replace(rows=rows, columns=columns))  # type: ignore[no-any-return]
        return result

    def _grid(self, taken: list[list[int]], count: int) -> tuple[int, int]:
        """Rows and columns in which operands are whole arrays, or the same in every row."""
        for numbers in taken:
            sources = {self.likeness.slot[number][0] for number in numbers}
            (source,) = sources if len(sources) == 1 else (NUMBERS,)
            if source >= 0 and len(numbers) == self.arrays[source].shape.slots:
                shape = self.arrays[source].shape
                if shape.columns > 1 and all(self.likeness.slot[n][1] == slot for slot, n in enumerate(numbers)):
                    return shape.rows, shape.columns
        for numbers in taken:
            period = numbers.index(numbers[0], 1) if numbers.count(numbers[0]) > 1 else count
            if 1 < period < count and count % period == 0 and numbers == numbers[:period] * (count // period):
                return count // period, period
        return count, 1

    def _operand(self, numbers: list[int], rows: int, columns: int) -> Any:
        """One operand of all members, without the rows or columns along which it is the same."""
        if len(set(numbers)) == 1:
            number = self._number(numbers[0])
            return self._taken(numbers[:1], 1, 1) if number is None else number
        if rows > 1 and columns > 1:
            if numbers == numbers[:columns] * rows:
                return self._taken(numbers[:columns], 1, columns)
            first = numbers[::columns]
            if not self.form.varies[numbers[0]] and numbers == [n for n in first for _ in range(columns)]:
                return self._taken(first, rows, 1)
        return self._taken(numbers, rows, columns)

    def _number(self, number: int) -> float | None:
        source, _ = self.likeness.slot[number]
        return float(self.form.terms[number].operands[0]) if source == NUMBERS else None

    # From terms to slots of arrays.

    def _taken(self, numbers: Sequence[int], rows: int, columns: int, neutral: float = 0.0) -> Array:
        """An array with these terms in its slots, and a neutral number where one is -1."""
        sources: dict[int, dict[int, int]] = {}  # class → slots taken from it → their position among these
        for number in numbers:
            source, slot = self.likeness.slot[number] if number >= 0 else (_PADDED, 0)
            taken = sources.setdefault(source, {})
            taken.setdefault(number if source == NUMBERS else slot, len(taken))
        if len(sources) == 1:
            (source,) = sources
            if source == NUMBERS:
                known = [self._number(number) for number in numbers]
                return self.graph.numbers(known, rows, columns)  # type: ignore[arg-type]
            return self.graph.take(self._source(source), [self.likeness.slot[n][1] for n in numbers], rows, columns)
        if _PADDED in sources and len(sources) == 2 and NUMBERS not in sources:  # one array with padding behind it
            (source,) = sources.keys() - {_PADDED}
            array = self._source(source)
            size = array.shape.slots
            padded = self.graph.stack([self.graph.take(array, range(size), size, 1), self.graph.row_of(neutral)])
            where = [self.likeness.slot[n][1] if n >= 0 else size for n in numbers]
            return self.graph.take(padded, where, rows, columns)
        parts, start, starts = [], 0, {}
        for source, slots in sources.items():
            parts.append(self._part(source, list(slots), neutral))
            starts[source] = start
            start += len(slots)
        table = []
        for number in numbers:
            source, slot = self.likeness.slot[number] if number >= 0 else (_PADDED, 0)
            table.append(starts[source] + sources[source][number if source == NUMBERS else slot])
        return self.graph.take(self.graph.stack(parts), table, rows, columns)

    def _part(self, source: int, slots: list[int], neutral: float) -> Array:
        if source == _PADDED:
            return self.graph.row_of(neutral)
        if source == NUMBERS:
            return self.graph.numbers([float(self.form.terms[n].operands[0]) for n in slots], len(slots), 1)
        return self.graph.take(self._source(source), slots, len(slots), 1)

    def _source(self, source: int) -> Array:
        if source >= 0:
            return self.arrays[source]
        return self.theta if source == PARAMETERS else self._inputs[INPUTS - source]


_PADDED = NUMBERS - 1
