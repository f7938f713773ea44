"""Likeness: terms that are alike form a class, and each class becomes one array.

Terms are alike if they apply the same operation to operands of the same kinds at the same distance from the output. It does
not matter in which vector or array the operands lie. Dots of weight rows and vectors become one matrix product where every
row meets every vector: the neurons of a layer, which share their inputs, or weights that meet many positions, windows or
steps. The distance is measured from the output because terms that are used together there are usually alike, even if
one of them needed fewer steps than the others.

This pass also chooses the order of a class's members, its slots. It takes the order in which the reader that takes most of
them wants them, so most readers find a slice or the whole array.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .. import ops
from ..ops import Op
from .normal_form import CONSTANT, DOT, ELEMENTWISE, INPUT, PARAMETER, REDUCTION, NormalForm, Term

PRODUCT = DOT + 1
PARAMETERS, INPUTS, NUMBERS = -1, -2, -(10**9)  # the class numbers of leaves; input j has INPUTS - j
_PADDING = 2  # reductions of different length form one class if padding at most doubles their operands


class Class:
    """Terms that are computed together.

    kind: ELEMENTWISE, REDUCTION, DOT (each member has two vectors of its own) or PRODUCT (every row of fixed factors meets
    every vector; the members are listed row by row). op: the operation of the members. members: the terms in the order of
    their slots. grid: the rows and columns in which the members lie.
    """

    def __init__(self, kind: int, op: Op, members: list[int], grid: tuple[int, int]) -> None:
        self.kind, self.op, self.members, self.grid = kind, op, members, grid


class Likeness:
    """The classes of a normal form.

    `classes` lists them, operands first. `slot` gives for each term its class and its slot there. Leaves belong to no member
    of `classes`; their class numbers are PARAMETERS, INPUTS - j and NUMBERS.
    """

    def __init__(self, form: NormalForm) -> None:
        self.form = form
        self.classes: list[Class] = []
        self.slot: list[tuple[int, int]] = [(NUMBERS, 0)] * len(form.terms)
        for number, term in enumerate(form.terms):
            if term.kind == PARAMETER:
                self.slot[number] = PARAMETERS, term.operands[0]
            elif term.kind == INPUT:
                self.slot[number] = INPUTS - term.operands[0], term.operands[1]
        for bucket in _buckets(form):
            for found in self._split(bucket):
                self._add(found)
        self._lay_out()

    def __str__(self) -> str:
        """One line a class: operation, rows × columns of a product, and the members in the order of their slots."""
        lines = []
        for number, found in enumerate(self.classes):
            kind = ("elementwise", "reduction", "dots", "product")[found.kind - ELEMENTWISE]
            grid = f" {found.grid[0]} × {found.grid[1]}" if found.kind == PRODUCT else ""
            lines.append(f"class {number}: {kind} {found.op}{grid}: {', '.join(map(self.form.name, found.members))}")
        return "\n".join(lines)

    def _add(self, found: Class) -> None:
        for number in found.members:
            self.slot[number] = len(self.classes), 0
        self.classes.append(found)

    def _class_of(self, number: int) -> int:
        return self.slot[number][0]

    # Splitting a bucket of candidates into classes.

    def _split(self, bucket: list[int]) -> Iterator[Class]:
        terms = self.form.terms
        term = terms[bucket[0]]
        if any(terms[number].kind == DOT for number in bucket):
            _, kind = _kind_of(terms, self.form.varies, *term)
            yield from self._dots(bucket) if isinstance(kind, bool) else self._products(bucket)
        elif any(terms[number].kind == REDUCTION for number in bucket):
            yield from self._reductions(bucket)
        else:
            for members in self._elementwise(bucket):
                kind = ELEMENTWISE
                if term.op == ops.add and len(members) == 1 and len(set(map(self._class_of, term.operands))) == 1:
                    kind = REDUCTION  # of two rows of an array
                yield Class(kind, term.op, members, (len(members), 1))

    def _elementwise(self, bucket: list[int]) -> Iterable[list[int]]:
        """All members in one group, or several groups where collecting the operands would cost more than it saves."""
        operands = [[self._class_of(number) for number in self.form.terms[member].operands] for member in bucket]
        sources = [len(set(column)) for column in zip(*operands, strict=True)]
        if 4 * sum([count for count in sources if count > 1]) <= len(bucket):
            return [bucket]
        return _grouped(bucket, map(tuple, operands))

    def _reductions(self, bucket: list[int]) -> Iterator[Class]:
        """Reductions grouped by the arrays in which their operands lie; their lengths may differ, within limits."""
        terms = self.form.terms
        sources = [tuple(dict.fromkeys(map(self._class_of, terms[member].operands))) for member in bucket]
        for members in _grouped(bucket, sources):
            for alike in _by_length(members, [len(terms[member].operands) for member in members]):
                binary = len(terms[alike[0]].operands) == 2 == len(terms[alike[-1]].operands)
                if binary and all(terms[member].kind == ELEMENTWISE for member in alike):
                    for part in self._elementwise(alike):
                        yield Class(ELEMENTWISE, terms[alike[0]].op, part, (len(part), 1))
                else:
                    yield Class(REDUCTION, terms[alike[0]].op, alike, (1, len(alike)))

    def _dots(self, bucket: list[int]) -> Iterator[Class]:
        """Dots that do not share vectors. A product of two terms counts as a dot of one pair."""
        terms = self.form.terms

        def source(member: int) -> tuple[tuple[int, ...], ...]:
            term = terms[member]
            factors = term.operands if term.kind == DOT else [(number,) for number in term.operands]
            return tuple([tuple(dict.fromkeys(map(self._class_of, vector))) for vector in factors])

        for members in _grouped(bucket, map(source, bucket)):
            if all(terms[member].kind == ELEMENTWISE for member in members):
                for part in self._elementwise(members):
                    yield Class(ELEMENTWISE, ops.mul, part, (len(part), 1))
                continue
            lengths = [len(terms[m].operands[0]) if terms[m].kind == DOT else 1 for m in members]
            for alike in _by_length(members, lengths):
                yield Class(DOT, ops.dot, alike, (1, len(alike)))

    def _products(self, bucket: list[int]) -> Iterator[Class]:
        """Matrix products of rows and vectors; rows that fit into none are computed pair by pair."""
        terms = self.form.terms
        rows = [terms[member].operands[0] for member in bucket]
        row_number = _numbered(rows)
        vector_number: dict[int, int] = {}
        vectors: list[int] = []  # per member
        known: dict[tuple[int, ...], int] = {}
        for member in bucket:
            vector = terms[member].operands[1]
            if id(vector) not in vector_number:
                vector_number[id(vector)] = known.setdefault(vector, len(known))
            vectors.append(vector_number[id(vector)])
        sources = [tuple(dict.fromkeys(map(self._class_of, vector))) for vector in known]
        kinds = [_row_kind(terms, row) for row in rows]
        keys = [(len(row), kind, sources[v]) for row, kind, v in zip(rows, kinds, vectors, strict=True)]
        at = {member: (r, v) for member, r, v in zip(bucket, row_number, vectors, strict=True)}
        for members in _grouped(bucket, keys):
            yield from _full_products(members, at)

    # Slots.

    def _lay_out(self) -> None:
        """Order the members of every class, from the last class to the first, so that readers come before what they read."""
        wanted: list[list[int]] = [
            [] for _ in self.classes
        ]  # for each class, the longest list of its members that a reader takes
        for c in range(len(self.classes) - 1, -1, -1):
            found = self.classes[c]
            if found.kind == PRODUCT:
                _order_grid(found, wanted[c], self.form.terms)
            elif wanted[c]:
                found.members = list(dict.fromkeys([*wanted[c], *found.members]))
            for slot, number in enumerate(found.members):
                self.slot[number] = c, slot
            for taken in operands(found, self.form.terms):
                for source, run in self._runs(taken).items():
                    if len(run) > len(wanted[source]):
                        wanted[source] = run

    def _runs(self, taken: Iterable[int]) -> dict[int, list[int]]:
        """The members that are taken of each class, each once."""
        runs: dict[int, dict[int, None]] = {}
        for number in taken:
            source = self.slot[number][0]
            if number >= 0 and source >= 0:
                runs.setdefault(source, {})[number] = None
        return {source: list(run) for source, run in runs.items()}


def operands(found: Class, terms: Sequence[Term]) -> list[list[int]]:
    """What the members of a class take: a list of terms for each operand.

    The vectors of dots, and the operands of reductions, lie in columns, one column per member. The list goes through the
    columns row by row. Columns shorter than the longest are filled up with -1.
    """
    if found.kind == ELEMENTWISE:
        return [list(column) for column in zip(*[terms[member].operands for member in found.members], strict=True)]
    if found.kind == PRODUCT:
        columns = found.grid[1]
        vectors = [terms[member].operands[1] for member in found.members[:columns]]
        return [_in_columns(vectors)]
    if found.kind == DOT:
        pairs = [
            terms[m].operands if terms[m].kind == DOT else [(n,) for n in terms[m].operands] for m in found.members
        ]
        return [_in_columns(vectors) for vectors in zip(*pairs, strict=True)]
    return [_in_columns([terms[member].operands for member in found.members])]


def _in_columns(vectors: Sequence[Sequence[int]]) -> list[int]:
    length = max(map(len, vectors))
    if len(vectors) == 1:
        return list(vectors[0])
    padded = [vector if len(vector) == length else (*vector, *[-1] * (length - len(vector))) for vector in vectors]
    return [number for row in zip(*padded, strict=True) for number in row]


def _buckets(form: NormalForm) -> Iterator[list[int]]:
    """Groups of terms that may be alike, beginning with those farthest from the output."""
    keys = [_kind_of(form.terms, form.varies, *term) if term.kind >= ELEMENTWISE else None for term in form.terms]
    buckets: dict[tuple[int, object], list[int]] = {}
    for number, height in enumerate(_heights(form, keys)):
        if keys[number] is not None:
            buckets.setdefault((height, keys[number]), []).append(number)
    for key in sorted(buckets, key=lambda key: -key[0]):
        yield buckets[key]


def _heights(form: NormalForm, keys: Sequence[object]) -> list[int]:
    """The distance of each term from the output.

    A term that could be computed at several distances gets the one that most terms of its kind have. So a softmax over
    a single number, which needs no maximum, is computed together with the others.
    """
    terms = form.terms
    height = [0] * len(terms)
    taken = [_all_operands(term) for term in terms]
    for number in range(len(terms) - 1, -1, -1):
        above = height[number] + 1
        for operand in taken[number]:
            if height[operand] < above:
                height[operand] = above
    crowd: dict[object, Counter[int]] = {}
    for number, key in enumerate(keys):
        if key is not None:
            crowd.setdefault(key, Counter())[height[number]] += 1
    chosen = list(height)
    for number, key in enumerate(keys):
        if key is None:
            chosen[number] = _FAR
            continue
        lowest, highest = height[number], min([chosen[operand] for operand in taken[number]], default=_FAR) - 1
        if highest > lowest:
            counts = crowd[key]
            levels = range(lowest, min(highest, lowest + _LEVELS) + 1)
            chosen[number] = max(levels, key=lambda level: (counts[level], -level))
    return chosen


_FAR = 10**9  # the height of leaves
_LEVELS = 100  # how far a term may be moved: trying more distances would take too long


def _all_operands(term: Term) -> Sequence[int]:
    if term.kind == DOT:
        return (*term.operands[0], *term.operands[1])
    return term.operands if term.kind >= ELEMENTWISE else ()


def _kind_of(terms: list[Term], varies: list[bool], kind: int, op: Op, taken: tuple[Any, ...]) -> tuple[Op, object]:
    """What makes terms alike: the operation, and the kinds of its operands."""
    if kind == DOT:
        left, right = taken
        if varies[left[0]]:
            return op, True
        if any([varies[n] for n in right]):
            return op, "product"
        return op, "fixed product" if all([terms[n].kind == CONSTANT for n in right]) else False
    if kind == REDUCTION:
        return op, any([varies[n] for n in taken])
    kinds = tuple(["varies" if varies[n] else _FIXED.get(terms[n].kind, "fixed") for n in taken])
    if op == ops.mul and len(set(kinds)) == 1 and kinds[0] != "constant":
        return ops.dot, kinds[0] == "varies"  # it may join dots, as a dot of one pair
    if op in (ops.add, ops.maximum, ops.minimum) and set(kinds) == {"varies"}:
        return op, True
    return op, kinds


_FIXED = {PARAMETER: "parameter", CONSTANT: "constant"}


def _row_kind(terms: list[Term], row: tuple[int, ...]) -> str:
    kinds = {terms[number].kind for number in row}
    return _FIXED.get(kinds.pop(), "fixed") if len(kinds) == 1 else "fixed"


def _grouped(members: Sequence[int], keys: Iterable[object]) -> list[list[int]]:
    groups: dict[object, list[int]] = {}
    for member, key in zip(members, keys, strict=True):
        groups.setdefault(key, []).append(member)
    return list(groups.values())


def _by_length(members: list[int], lengths: list[int]) -> list[list[int]]:
    """Groups of members with similar lengths, so that padding to the longest costs little."""
    groups: list[list[int]] = []
    longest = total = 0
    for length, member in sorted(zip(lengths, members, strict=True), key=lambda pair: -pair[0]):
        if not groups or (len(groups[-1]) + 1) * longest > _PADDING * (total + length):
            groups.append([])
            longest, total = length, 0
        groups[-1].append(member)
        total += length
    order = {member: i for i, member in enumerate(members)}
    return [sorted(group, key=order.__getitem__) for group in groups]


def _numbered(things: Sequence[tuple[int, ...]]) -> list[int]:
    known: dict[tuple[int, ...], int] = {}
    return [known.setdefault(thing, len(known)) for thing in things]


def _full_products(members: list[int], at: dict[int, tuple[int, int]]) -> Iterator[Class]:
    """Classes in which every row meets every vector."""
    met: dict[int, dict[int, int]] = {}  # row → vector → member
    for member in members:
        r, v = at[member]
        met.setdefault(r, {})[v] = member
    alike: dict[tuple[int, ...], list[int]] = {}  # vectors → the rows that meet exactly these
    for r, vectors in met.items():
        alike.setdefault(tuple(sorted(vectors)), []).append(r)
    lonely: list[int] = []
    for columns, rows in alike.items():
        if len(rows) == len(columns) == 1 < len(alike):
            lonely.append(met[rows[0]][columns[0]])
        else:
            yield Class(PRODUCT, ops.dot, [met[r][v] for r in rows for v in columns], (len(rows), len(columns)))
    if len(lonely) == 1:
        yield Class(PRODUCT, ops.dot, lonely, (1, 1))
    elif lonely:
        yield Class(DOT, ops.dot, lonely, (1, len(lonely)))


def _order_grid(found: Class, wanted: list[int], terms: Sequence[Term]) -> None:
    """Order the rows and vectors of a product: rows as they lie in theta, otherwise as readers want them."""
    rows, columns = found.grid
    at = {member: divmod(slot, columns) for slot, member in enumerate(found.members)}
    weights = [terms[found.members[r * columns]].operands[0] for r in range(rows)]
    if all(terms[number].kind == PARAMETER for row in weights for number in row):
        row_order = sorted(range(rows), key=lambda r: [terms[number].operands for number in weights[r]])
    else:
        row_order = list(dict.fromkeys([*[at[member][0] for member in wanted], *range(rows)]))
    column_order = list(dict.fromkeys([*[at[member][1] for member in wanted], *range(columns)]))
    found.members = [found.members[r * columns + c] for r in row_order for c in column_order]
