"""From the recorded scalar graph to the array graph: finding what lines up.

Every scalar gets a place: a group and a slot in it. Nodes with the same operation whose operands lie in the same
groups form a group, one array with a slot per row; `dot` nodes with the same inputs form a matrix product. Chains of
additions are sums, and sums of products of a parameter with something that varies are dots, so that a net written
with one node per product finds its matrices as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from .. import ops
from ..graph import dot_parts, topological_order
from ..ops import Op
from ..value import Value
from . import array_graph as arrays
from .array_graph import Array, Graph, K

Place = tuple[int, int]  # group, slot
Recording = tuple[Sequence[Sequence[Value]], Sequence[Value]]  # inputs, outputs

_PARAMETERS, _CONSTANTS = 0, 1  # the first two groups; then come the inputs


class Group:
    """Scalars that are computed together. `rows`: per slot, the places of its operands."""

    def __init__(self, op: Op, varies: bool) -> None:
        self.op, self.varies = op, varies
        self.rows: list[tuple[Any, ...]] = []


class Grouping:
    """The groups of the graph under some outputs.

    inputs: the leaf Values of each input. `parameters` are first those given, then the other leaves in the order in which
    the graph meets them, which for what a net computes is that of its `parameters()`.
    """

    def __init__(
        self, inputs: Sequence[Sequence[Value]], outputs: Sequence[Value], parameters: Sequence[Value] = ()
    ) -> None:
        self.inputs = inputs
        self.parameters = list(parameters)
        self.groups = [Group(ops.leaf, False), Group(ops.constant, False), *[Group(ops.leaf, True) for _ in inputs]]
        self._index: dict[Any, int] = {}
        self._vectors: dict[Any, int] = {}
        self._seen_vectors: dict[int, tuple[Place, ...]] = {}
        self._numbers: dict[float, int] = {}
        self._places: dict[Value, Place] = {
            value: (g, slot) for g, values in enumerate(inputs, 2) for slot, value in enumerate(values)
        }
        self._places |= {value: (_PARAMETERS, slot) for slot, value in enumerate(parameters)}
        self._lay_out(topological_order(*outputs), outputs)
        self.outputs = [self._place(value) for value in outputs]
        self.constants = list(self._numbers)

    # Scalars to places.

    def _lay_out(self, order: list[Value], outputs: Sequence[Value]) -> None:
        uses = _uses(order, outputs)
        inner = {
            term
            for node in order
            if node.op == ops.add
            for term in node.parents
            if uses[term] == 1 and (term.op == ops.add or term.op == ops.mul)
        }
        for node in order:
            if node.op == ops.dot:
                self._places[node] = self._dot(node)
            elif node in inner and (node.op == ops.add or self._is_product(node)):
                pass  # computed as a part of its sum
            elif node.op == ops.add:
                self._places[node] = self._sum(_terms(node, inner), inner)
            else:
                self._places[node] = self._elementwise(node.op, *map(self._place, node.parents))

    def _place(self, value: Value) -> Place:
        place = self._places.get(value)
        if place is None:
            if value.op == ops.constant:
                place = _CONSTANTS, self._numbers.setdefault(value.data, len(self._numbers))
            else:
                place = _PARAMETERS, len(self.parameters)
                self.parameters.append(value)
            self._places[value] = place
        return place

    def _zero(self) -> Any:
        """The place of 0, where `sum` starts."""
        return _CONSTANTS, self._numbers.get(0.0)

    def _varies(self, place: Place) -> bool:
        return self.groups[place[0]].varies

    def _is_product(self, node: Value) -> bool:
        """Whether it is a parameter's, or something made of parameters, times something that varies."""
        if node.op != ops.mul:
            return False
        a, b = [(value in self._places and self._varies(self._places[value]), value.op) for value in node.parents]
        return a[0] != b[0] and ops.constant not in (a[1], b[1])

    def _join(self, key: Any, op: Op, varies: bool, row: tuple[Any, ...]) -> Place:
        """Put a node with these operands into the group with this key."""
        g = self._index.setdefault(key, len(self.groups))
        if g == len(self.groups):
            self.groups.append(Group(op, varies))
        self.groups[g].rows.append(row)
        return g, len(self.groups[g].rows) - 1

    def _elementwise(self, op: Op, *operands: Place) -> Place:
        key = (op, *[g for g, _ in operands])
        return self._join(key, op, any(map(self._varies, operands)), operands)

    def _sum(self, terms: list[Value], inner: set[Value]) -> Place:
        products = [term for term in terms if term in inner and self._is_product(term)]
        pairs = [sorted(map(self._place, term.parents), key=self._varies) for term in products]
        rest = [self._place(term) for term in terms if not (term in inner and self._is_product(term))]
        if pairs:
            fixed = [place for place in rest if not self._varies(place) and place != self._zero()]
            bias = fixed[0] if fixed else None
            if bias is not None:
                rest.remove(bias)
            total = self._product(tuple([w for w, _ in pairs]), tuple([x for _, x in pairs]), bias)
            return self._plus([total, *rest])
        return self._plus(rest)

    def _plus(self, places: list[Place]) -> Place:
        places = [place for place in places if place != self._zero()] or places[:1]
        if len(places) == 1:
            return places[0]
        if len(places) == 2:
            return self._elementwise(ops.add, *places)
        key = (arrays.sum_rows, *[g for g, _ in places])
        return self._join(key, arrays.sum_rows, any(map(self._varies, places)), tuple(places))

    def _dot(self, node: Value) -> Place:
        row, vector, bias_value = dot_parts(node)
        weights = tuple(map(self._place, (*row, bias_value)))
        inputs = self._vector(vector)
        if any(map(self._varies, weights)):
            *weights, bias = weights  # type: ignore[assignment]
            if not any(map(self._varies, inputs)) and not self._varies(bias):
                return self._product(inputs, tuple(weights), bias)
            terms = [self._elementwise(ops.mul, w, x) for w, x in zip(weights, inputs, strict=True)]
            return self._plus([*terms, bias])
        if not any(map(self._varies, inputs)):
            terms = [self._elementwise(ops.mul, w, x) for w, x in zip(weights[:-1], inputs, strict=True)]
            return self._plus([*terms, weights[-1]])
        return self._product(weights[:-1], inputs, weights[-1])

    def _vector(self, values: tuple[Value, ...]) -> tuple[Place, ...]:
        """The places of a dot's inputs; neurons of a layer share one tuple, looked at once."""
        if id(values) not in self._seen_vectors:
            self._seen_vectors[id(values)] = tuple(map(self._place, values))
        return self._seen_vectors[id(values)]

    def _product(self, weights: tuple[Place, ...], inputs: tuple[Place, ...], bias: Place | None) -> Place:
        if bias == self._zero():
            bias = None
        vector = self._vectors.setdefault(inputs, len(self._vectors))
        latest = max(_CONSTANTS, *[g for g, _ in weights])  # a group comes after all that it is computed from
        key = (ops.dot, vector, latest, bias and bias[0])
        return self._join(key, ops.dot, True, (weights, inputs, bias))

    # Groups to arrays.

    def arrays(self, graph: Graph) -> tuple[list[Array], Array]:
        """The array of every group, and that of the outputs, one row each."""
        made: list[Any] = [
            graph.node(arrays.flat, (), (len(self.parameters), 1)),
            graph.node(arrays.given, (), (len(self.constants), 1), "constants"),
            *[graph.node(arrays.given, (), (len(values), K), j) for j, values in enumerate(self.inputs)],
        ]
        for group in self.groups[len(made) :]:
            made.append(self._array(graph, made, group))
        return made, self.rows(graph, made, self.outputs)

    def _array(self, graph: Graph, made: list[Any], group: Group) -> Any:
        if group.op == ops.dot:
            inputs = self.rows(graph, made, group.rows[0][1])
            biases = [row[2] for row in group.rows]
            weights = [place for row in group.rows for place in row[0]]
            if inputs.op != arrays.given and {place and place[0] for place in weights + biases} == {_PARAMETERS}:
                together = [place for row in group.rows for place in (*row[0], row[2])]  # [A b], for [y 1]
                return graph.matmul(self._matrix(graph, made, together, len(group.rows)), graph.and_ones(inputs))
            z = graph.matmul(self._matrix(graph, made, weights, len(group.rows)), inputs)
            return z if biases[0] is None else z + self._column(graph, made, biases)
        pair = group.op == ops.add and len(group.rows) == 1 and group.rows[0][0][0] == group.rows[0][1][0]
        if group.op == arrays.sum_rows or pair:
            if len(group.rows) == 1:
                return graph.sum_rows(self.rows(graph, made, group.rows[0]))
            if len({g for g, _ in group.rows[0]}) == 1 and group.rows[0][0][0] != _PARAMETERS:
                return graph.sum_rows(self.rows(graph, made, [p for row in group.rows for p in row]), len(group.rows))
            columns = [self._column(graph, made, column) for column in zip(*group.rows, strict=True)]
            total = columns[0]
            for column in columns[1:]:
                total = total + column
            return _at_least(graph, total, len(group.rows))
        columns = [self._column(graph, made, column) for column in zip(*group.rows, strict=True)]
        return _at_least(graph, graph.elementwise(group.op, *columns), len(group.rows))

    def _column(self, graph: Graph, made: list[Any], places: Sequence[Place]) -> Any:
        """One operand of all the members of a group: rows of one array, or a number."""
        if len({g for g, _ in places}) > 1:
            return self.rows(graph, made, places)
        g = places[0][0]
        slots = [slot for _, slot in places]
        if g == _CONSTANTS:
            numbers = {self.constants[slot] for slot in slots}
            if len(numbers) == 1:
                return numbers.pop()
        return graph.take(made[g], slots)

    def rows(self, graph: Graph, made: list[Any], places: Sequence[Place]) -> Array:
        """An array with one row per place."""
        parts = []
        for g, run in groupby(places, key=lambda place: place[0]):
            slots = [slot for _, slot in run]
            part = graph.take(made[g], slots)
            parts.append(graph.stretch(part, (len(slots), part.shape[1])))
        return graph.stack(parts)

    def _matrix(self, graph: Graph, made: list[Any], places: list[Place], rows: int) -> Array:
        shape = rows, len(places) // rows
        if {g for g, _ in places} == {_PARAMETERS}:
            return graph.take(made[_PARAMETERS], [slot for _, slot in places], shape)
        return graph.take(self.rows(graph, made, places), range(len(places)), shape)


def _at_least(graph: Graph, a: Any, rows: int) -> Array:
    """A group's array has a row per member, even where all members are equal."""
    if not isinstance(a, Array):
        return graph.node(arrays.given, (), (rows, 1), a)
    return graph.stretch(a, (rows, a.shape[1]))  # type: ignore[no-any-return]


def _uses(order: list[Value], outputs: Sequence[Value]) -> Counter[Value]:
    uses: Counter[Value] = Counter(outputs)
    shared = set()
    for node in order:
        if node.op != ops.dot:
            uses.update(node.parents)
            continue
        weights, inputs, bias = dot_parts(node)
        uses.update([w for w in (*weights, bias) if w.parents])
        if id(inputs) not in shared:  # counted twice, for those inside are used more than once anyhow
            shared.add(id(inputs))
            uses.update(inputs)
            uses.update(inputs)
    return uses


def _terms(node: Value, inner: set[Value]) -> list[Value]:
    """The terms of a chain of additions, left to right."""
    terms, stack = [], [*reversed(node.parents)]
    while stack:
        term = stack.pop()
        if term in inner and term.op == ops.add:
            stack += reversed(term.parents)
        else:
            terms.append(term)
    return terms
