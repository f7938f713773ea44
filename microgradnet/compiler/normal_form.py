"""The normal form of a recorded graph: numbered terms of a few kinds.

Chains of additions become sums, chains of maximum or minimum become reductions, and products inside a sum become dots. The
compiler therefore does not see whether a net was written with `dot` or number by number. Equal terms are one term. Sums keep
the order in which they were written; only the order inside a dot is open. This pass knows how graphs are recorded;
`likeness` decides which terms are computed together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from .. import ops
from ..graph import dot_parts, topological_order
from ..ops import Op
from ..value import Value
from .record import Recording

# The kinds of terms. The operands of a parameter are its slot, of an input its number and slot, of a constant the number.
PARAMETER, CONSTANT, INPUT, ELEMENTWISE, REDUCTION, DOT = range(6)
_CHAINS = (ops.add, ops.maximum, ops.minimum)  # associative: a chain of one of them is one reduction


class Term(NamedTuple):
    """One scalar. The operands of a dot are two tuples of terms; their products, pair by pair, are added up."""

    kind: int
    op: Op
    operands: tuple[Any, ...]


class NormalForm:
    """The terms on which some outputs depend, operands first.

    recording: a recorded function. parameters: the first ones; the other leaves follow in the order in which the graph
    meets them.

    `terms`; `varies`: per term, whether it depends on an input; `outputs`: the terms of the outputs; `parameters`:
    the Values; `sizes`: of the inputs; `operations`: by name.
    """

    def __init__(self, recording: Recording, parameters: Sequence[Value] = ()) -> None:
        inputs, outputs = recording.inputs, recording.outputs
        self.terms: list[Term] = []
        self.varies: list[bool] = []
        self.parameters: list[Value] = []
        self.sizes = [len(values) for values in inputs]
        self.operations: dict[str, Op] = {}
        self._known: dict[Term, int] = {}
        self._number: dict[Value, int] = {}
        self._vectors: dict[int, tuple[int, ...]] = {}
        for j, values in enumerate(inputs):
            for slot, value in enumerate(values):
                self._number[value] = self._leaf(INPUT, (j, slot), varies=True)
        for value in recording.constants:
            self._number[value] = self._constant(value._data)
        for value in parameters:
            self._parameter(value)
        self._read(topological_order(*outputs), outputs)
        self.outputs = [self._at(value) for value in outputs]

    def __str__(self) -> str:
        """One line a term, leaves inside: `%5 = tanh(%4)`; a dot has two lists."""
        lines = []
        for number, term in enumerate(self.terms):
            if term.kind >= ELEMENTWISE:
                parts = (
                    [f"[{self._names(part)}]" for part in term.operands]
                    if term.kind == DOT
                    else [self._names(term.operands)]
                )
                lines.append(f"%{number} = {term.op}({', '.join(parts)})")
        return "\n".join([*lines, f"outputs: {self._names(self.outputs)}"])

    def _names(self, numbers: Iterable[int]) -> str:
        return ", ".join(map(self.name, numbers))

    def name(self, number: int) -> str:
        """How a term is printed as an operand."""
        kind, _, operands = self.terms[number]
        if kind == INPUT:
            return f"x{operands[0] + 1}[{operands[1]}]"
        if kind == PARAMETER:
            return f"theta[{operands[0]}]"
        return str(operands[0]) if kind == CONSTANT else f"%{number}"

    def _read(self, order: list[Value], outputs: Sequence[Value]) -> None:
        number = self._number
        absorbed = _absorbed(order, outputs)
        for node in order:
            if self.operations.setdefault(str(node.op), node.op) is not node.op and node.op.exponent is None:
                raise ValueError(
                    f"the row {str(node.op)!r} was replaced while this graph was recorded: record the whole graph again"
                )
            if node in absorbed:
                continue  # it is part of a sum
            if node.op == ops.dot:
                number[node] = self._dot(node)
            elif node.op in _CHAINS:
                number[node] = self._chain(node, absorbed)
            else:
                number[node] = self._elementwise(node.op, *map(self._at, node.parents))

    # Terms.

    def _term(self, kind: int, op: Op, operands: tuple[Any, ...], varies: bool) -> int:
        term = Term(kind, op, operands)
        number = self._known.setdefault(term, len(self.terms))
        if number == len(self.terms):
            self.terms.append(term)
            self.varies.append(varies)
        return number

    def _at(self, value: Value) -> int:
        number = self._number.get(value)
        if number is None:
            number = self._constant(value._data) if value.op == ops.constant else self._parameter(value)
            self._number[value] = number
        return number

    def _constant(self, data: float) -> int:
        # as text, so that 0.0 differs from -0.0 and NaN equals NaN
        return self._term(CONSTANT, ops.constant, (repr(data),), varies=False)

    def _parameter(self, value: Value) -> int:
        self.parameters.append(value)
        self._number[value] = len(self.terms)
        return self._leaf(PARAMETER, (len(self.parameters) - 1,), varies=False)

    def _leaf(self, kind: int, operands: tuple[int, ...], varies: bool) -> int:
        """The term of a leaf, which is asked for once."""
        self.terms.append(Term(kind, ops.leaf, operands))
        self.varies.append(varies)
        return len(self.terms) - 1

    def _any(self, numbers: Iterable[int]) -> bool:
        varies = self.varies
        return any([varies[number] for number in numbers])

    def _elementwise(self, op: Op, *operands: int) -> int:
        return self._term(ELEMENTWISE, op, operands, self._any(operands))

    def _reduction(self, op: Op, operands: list[int]) -> int:
        if len(operands) <= 2:
            return operands[0] if len(operands) == 1 else self._elementwise(op, *operands)
        return self._term(REDUCTION, op, tuple(operands), self._any(operands))

    # Sums. Their terms stay in the order in which they were added. A run of products is one term, a dot, whose order is open
    # like that of a matrix product.

    def _chain(self, node: Value, absorbed: set[Value]) -> int:
        parts = _parts(node, absorbed)
        if node.op != ops.add:
            return self._reduction(node.op, [self._at(part) for part in parts])
        factors = {part: tuple(map(self._at, part.parents)) for part in parts if part in absorbed}
        terms: list[int] = []
        for is_product, parts_alike in groupby(parts, factors.__contains__):
            run = list(parts_alike)
            terms += [self._run([factors[part] for part in run])] if is_product else map(self._at, run)
        return self._sum(terms)

    def _run(self, products: Iterable[tuple[int, ...]]) -> int:
        """The sum of products: a dot, or one for each number of factors that vary."""
        pairs: dict[int, list[tuple[int, ...]]] = {0: [], 1: [], 2: []}
        for a, b in products:
            pairs[self.varies[a] + self.varies[b]].append((a, b))
        terms: list[int] = []
        for varying, some in pairs.items():
            if len(some) == 1 and varying != 1:  # a single product is not a dot
                terms.append(self._elementwise(ops.mul, *some[0]))
            elif some:
                lefts, rights = zip(*some, strict=True)
                terms += self._products(lefts, rights)
        return self._sum(terms)

    def _sum(self, terms: list[int]) -> int:
        """The sum of these terms. A dot and a fixed term, in either order, begin it as a dot with a bias.

        0.0 is left out, and -0.0 + 0.0 is then -0.0: no row of the table gives another number for it.
        """
        zero = self._constant(0.0)
        terms = [number for number in terms if number != zero] or [zero]
        varying = [self.varies[number] for number in terms[:2]]
        if sum(varying) == 1 and len(terms) > 1:
            dot, bias = terms[:2] if varying[0] else terms[1::-1]
            if self.terms[dot].kind == DOT:
                terms[:2] = [self._elementwise(ops.add, dot, bias)]
        return self._reduction(ops.add, terms)

    def _dot(self, node: Value) -> int:
        weights, inputs, bias = dot_parts(node)
        if id(inputs) not in self._vectors:  # the neurons of a layer share them
            self._vectors[id(inputs)] = tuple(map(self._at, inputs))
        left, right, shift = tuple(map(self._at, weights)), self._vectors[id(inputs)], self._at(bias)
        dots = self._products(left, right)
        return self._sum([*dots[:1], shift, *dots[1:]])

    def _products(self, lefts: tuple[int, ...], rights: tuple[int, ...]) -> list[int]:
        """The dots of these factors. A fixed factor comes first in its pair; pairs with and without one form separate dots."""
        if not lefts:
            return []
        varies = self.varies
        if self._any(lefts):
            if not self._any(rights):
                lefts, rights = rights, lefts
            elif not all([varies[a] and varies[b] for a, b in zip(lefts, rights, strict=True)]):
                pairs = [(b, a) if varies[a] and not varies[b] else (a, b) for a, b in zip(lefts, rights, strict=True)]
                fixed, both = [pair for pair in pairs if not varies[pair[0]]], [p for p in pairs if varies[p[0]]]
                return [
                    self._term(DOT, ops.dot, tuple(zip(*some, strict=True)), varies=True)
                    for some in (fixed, both)
                    if some
                ]
        return [self._term(DOT, ops.dot, (lefts, rights), self._any(rights))]


def _absorbed(order: list[Value], outputs: Sequence[Value]) -> set[Value]:
    """The nodes that become part of a chain: used once, by a node of the same operation, or products used once, by a sum.

    Of a sum's brackets, those on the left change no order, as in (a + b) + c; those on the right stay, as in a + (b + c),
    unless they hold products alone.
    """
    uses: Counter[Value] = Counter(outputs)
    shared = set()
    for node in order:
        if node.op != ops.dot:
            uses.update(node.parents)
            continue
        weights, inputs, bias = dot_parts(node)
        uses.update([w for w in (*weights, bias) if w.op in _CHAINS or w.op == ops.mul])
        if id(inputs) not in shared:  # counted twice: several neurons use them
            shared.add(id(inputs))
            uses.update(inputs)
            uses.update(inputs)
    absorbed: set[Value] = set()
    dots: set[Value] = set()  # sums of nothing but products
    for node in order:
        if node.op not in _CHAINS:
            continue
        is_sum = only_products = node.op == ops.add
        left, right = node.parents
        for part in (left, right):
            if is_sum and part.op == ops.mul:
                joins = ops.constant not in [parent.op for parent in part.parents]  # a product with a number is no pair
            else:
                joins = part.op == node.op and (not is_sum or part is left or part in dots)
            if joins and uses[part] == 1:
                absorbed.add(part)
                only_products = only_products and (part.op == ops.mul or part in dots)
            else:
                only_products = only_products and part.op == ops.constant and part._data == 0.0
        if only_products:
            dots.add(node)
    return absorbed


def _parts(node: Value, absorbed: set[Value]) -> list[Value]:
    """The operands of a chain, left to right."""
    parts, stack = [], [*reversed(node.parents)]
    while stack:
        part = stack.pop()
        if part in absorbed and part.op == node.op:
            stack += reversed(part.parents)
        else:
            parts.append(part)
    return parts
