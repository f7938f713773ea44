"""The array graph: what the compiler computes on, a few arrays instead of thousands of scalars.

An `Array` stands for rows × columns scalars, its slots, row by row. What varies with the sample has K numbers per slot
and is rows × (columns · K) in NumPy; what depends on parameters alone has one. Nodes hold an operation of the table,
applied element by element, or one of the structural operations below, which move numbers between shapes. All have
partials, so that the reverse sweep of `graph` differentiates this graph as it does any other; a partial here is a
linear map, `Linear`, which `partial * adjoint` applies.

Equal nodes are one node, and trivial products and sums vanish as they are built. NumPy is not known here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from .. import ops
from ..ops import Op


class Shape(NamedTuple):
    """Rows and columns of slots, and whether there is a number per sample in each."""

    rows: int
    columns: int
    varies: bool

    @property
    def slots(self) -> int:
        """How many scalars it has."""
        return self.rows * self.columns


class Array:
    """A node of the array graph.

    op, args: operation and operands (Arrays, or floats for numbers known at compile time). detail: what else defines
    it. parents: the operands that are Arrays.
    """

    __slots__ = ("args", "detail", "graph", "op", "parents", "shape")

    def __init__(self, graph: ArrayGraph, op: Op, args: tuple[Any, ...], shape: Shape, detail: Any) -> None:
        self.graph, self.op, self.args, self.shape, self.detail = graph, op, args, shape, detail
        self.parents = tuple([arg for arg in args if isinstance(arg, Array)])

    def _record(self, op: Op, operands: tuple[Any, ...]) -> Any:
        return self.graph.elementwise(op, *operands)

    def __add__(self, other: Any) -> Any:
        return NotImplemented if isinstance(other, Parts) else ops.add(self, other)

    def __radd__(self, other: Any) -> Any:
        return ops.add(other, self)

    def __sub__(self, other: Any) -> Any:
        return ops.sub(self, other)

    def __rsub__(self, other: Any) -> Any:
        return ops.sub(other, self)

    def __mul__(self, other: Any) -> Any:
        return ops.mul(self, other)

    def __rmul__(self, other: Any) -> Any:
        return ops.mul(other, self)

    def __truediv__(self, other: Any) -> Any:
        return ops.div(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return ops.div(other, self)

    def __neg__(self) -> Any:
        return ops.neg(self)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return ops.abs_(self)

    def __pow__(self, exponent: Any) -> Any:
        return ops.pow_(self, exponent) if isinstance(exponent, Array) else ops.power(exponent)(self)

    def __rpow__(self, base: Any) -> Any:
        return ops.pow_(base, self)


class Linear:
    """A partial derivative of an array by an array: the map that takes ∂C/∂result to ∂C/∂operand."""

    def __init__(self, apply: Callable[[Any], Any]) -> None:
        self.apply = apply

    def __mul__(self, adjoint: Any) -> Any:
        if isinstance(adjoint, Parts):
            adjoint = adjoint.together()
        return adjoint if is_zero(adjoint) else self.apply(adjoint)


class Parts:
    """An adjoint that comes in parts: what belongs to some slots of an array, as the adjoints of `take` do."""

    def __init__(self, like: Array, parts: list[tuple[tuple[int, ...] | None, Array]]) -> None:
        self.like, self.parts = like, parts
        self._together: Any = None

    def __add__(self, other: Any) -> Any:
        if is_zero(other):
            return self
        return Parts(self.like, [*self.parts, *(other.parts if isinstance(other, Parts) else [(None, other)])])

    def __radd__(self, other: Any) -> Any:
        return self if is_zero(other) else Parts(self.like, [(None, other), *self.parts])

    def together(self) -> Any:
        """The adjoint as one array."""
        if self._together is None:
            self._together = self.like.graph.scatter(self.like, self.parts)
        return self._together


class ArrayGraph:
    """Builds Arrays; equal ones once."""

    def __init__(self) -> None:
        self._known: dict[Any, Array] = {}

    def node(self, op: Op, args: tuple[Any, ...], shape: Shape, detail: Any = None) -> Array:
        """The node with these contents."""
        key = (op, tuple([id(arg) if isinstance(arg, Array) else repr(arg) for arg in args]), shape, detail)
        if key not in self._known:
            self._known[key] = Array(self, op, args, shape, detail)
        return self._known[key]

    # Leaves.

    def theta(self, size: int) -> Array:
        """All parameters, one behind the other."""
        return self.node(flat, (), Shape(size, 1, False))

    def input(self, j: int, size: int) -> Array:
        """The j-th input."""
        return self.node(given, (), Shape(size, 1, True), j)

    def numbers(self, numbers: Sequence[float], rows: int, columns: int) -> Array:
        """Numbers known at compile time, row by row; kept as text, which tells 0.0 from -0.0."""
        texts = tuple([repr(number) for number in numbers])
        return self.node(constants, (), Shape(rows, columns, False), texts[:1] if len(set(texts)) == 1 else texts)

    # Element by element.

    def elementwise(self, op: Op, *args: Any) -> Any:
        """An operation of the table, element by element; rows and columns of length 1 are stretched."""
        if not any(isinstance(arg, Array) for arg in args):
            return op.value(*args)
        if op == ops.add or op == ops.sub:
            a, b = args
            if is_zero(b):
                return a
            if is_zero(a):
                return b if op == ops.add else -b
            if _is(a, uniform) and _is(b, uniform) and a.shape == b.shape and a.detail[1] == b.detail[1]:
                return self.uniform(a.shape, ops.named(op).value(a.detail[0], b.detail[0]), a.detail[1])
        if op == ops.mul:
            return self._product(*args)
        if op == ops.neg:
            return self._product(-1.0, *args)
        if op == "**1":
            return args[0]
        args = _aligned(self, args)
        return self.node(op, args, stretched(args))

    def _product(self, a: Any, b: Any) -> Any:
        """a · b. Numbers that meet become one in front, if it is in range; a sign goes anywhere, anything else stays."""
        if is_number(a, 1.0) or is_number(b, 1.0):
            return b if is_number(a, 1.0) else a
        if is_scalar(b) and not is_scalar(a):
            a, b = b, a
        if is_scalar(a):
            if is_scalar(b):
                both = self._scaled(a, b)
                return self.node(ops.mul, (a, b), stretched((a, b))) if both is None else both
            if _is(b, ops.mul) and is_scalar(b.args[0]):
                both = self._scaled(a, b.args[0])
                if both is not None:
                    return self._product(both, b.args[1])
            args = _aligned(self, (a, b))
            return self.node(ops.mul, args, stretched(args))
        signs = [arg for arg in (a, b) if _is(arg, ops.mul) and is_number(arg.args[0], -1.0)]
        if signs:
            a, b = [arg.args[1] if arg in signs else arg for arg in (a, b)]
            return self._product(1.0 if len(signs) == 2 else -1.0, self._product(a, b))
        args = _aligned(self, (a, b))
        return self.node(ops.mul, args, stretched(args))

    def _scaled(self, a: Any, b: Any) -> Any:
        """The product of two numbers; None where it leaves the range of a float, for then it is not the same."""
        shares = [x for x in (a, b) if isinstance(x, Array)]
        if len(shares) == 2:
            return None
        factor = math.prod([x.detail[0] if isinstance(x, Array) else x for x in (a, b)])
        if not in_range(factor):
            return None
        return self.uniform(shares[0].shape, factor, shares[0].detail[1]) if shares else factor

    def uniform(self, shape: Shape, number: float, shared: bool) -> Array:
        """number / K everywhere, or the number times the share that these columns have in all K."""
        return self.node(uniform, (), shape, (number, shared))

    # Moving numbers between shapes.

    def matmul(self, a: Array, b: Array) -> Array:
        """A (R × J) times J rows, for every column and sample."""
        return self.node(matmul, (a, b), Shape(a.shape.rows, b.shape.columns, b.shape.varies))

    def outer(self, a: Array, b: Array) -> Array:
        """a bᵀ, added up over columns and samples: R rows and J rows make R × J."""
        return self.node(outer, (a, b), Shape(a.shape.rows, b.shape.rows, False))

    def transpose(self, a: Array) -> Array:
        """Of what does not vary: rows become columns."""
        return (
            a.args[0] if a.op == transpose else self.node(transpose, (a,), Shape(a.shape.columns, a.shape.rows, False))
        )

    def reduce(self, op: Op, a: Array) -> Any:
        """All rows added up, or the largest or smallest of each column: one row."""
        shape = a.shape._replace(rows=1)
        if a.shape.rows == 1:
            return a
        if _is(a, uniform) and op == ops.add:
            return self.uniform(shape, a.detail[0] * a.shape.rows, a.detail[1])
        return self.node({ops.add: sum_rows, ops.maximum: max_rows, ops.minimum: min_rows}[op], (a,), shape)

    def sum_columns(self, a: Any) -> Any:
        """The sum over columns and samples."""
        shape = Shape(a.shape.rows, 1, False)
        if _is(a, uniform) and a.shape.varies:  # 1/K per sample: together the share of these samples in all K
            return self.uniform(shape, a.detail[0] * a.shape.columns, True)
        return a if a.shape == shape else self.node(sum_columns, (a,), shape)

    def stretch(self, a: Any, shape: Shape) -> Any:
        """Rows or columns of length 1 repeated to this shape."""
        if _is(a, uniform):
            return self.uniform(shape, *a.detail)
        return a if a.shape == shape else self.node(stretch, (a,), shape)

    def regroup(self, a: Any, rows: int, columns: int) -> Any:
        """The same slots as other rows and columns."""
        shape = Shape(rows, columns, a.shape.varies)
        if a.shape == shape:
            return a
        if _is(a, uniform) or _is(a, constants):
            return self.node(a.op, (), shape, a.detail)
        if _is(a, regroup):
            return self.regroup(a.args[0], rows, columns)
        if _is(a, take):
            return self.take(a.args[0], a.detail, rows, columns)
        if _is(a, stretch):
            return self.take(a, range(a.shape.slots), rows, columns, whole=False)
        return self.node(regroup, (a,), shape)

    def take(self, a: Array, slots: Sequence[int], rows: int, columns: int, whole: bool = True) -> Array:
        """These slots of it, as rows × columns; all of them in their order are no `take`, if whole."""
        slots = tuple(slots)
        shape = Shape(rows, columns, a.shape.varies)
        if whole and slots == tuple(range(a.shape.slots)) and a.op != flat:
            return self.regroup(a, rows, columns)  # type: ignore[no-any-return]
        if _is(a, uniform):
            return self.node(uniform, (), shape, a.detail)
        if _is(a, constants):
            texts = a.detail if len(a.detail) == 1 else tuple([a.detail[slot] for slot in slots])
            return self.node(constants, (), shape, texts[:1] if len(set(texts)) == 1 else texts)
        if _is(a, regroup):
            return self.take(a.args[0], slots, rows, columns)
        if _is(a, take):
            return self.take(a.args[0], [a.detail[slot] for slot in slots], rows, columns)
        if _is(a, stretch):
            return self.stretch(self.take(a.args[0], _within(a, slots), rows, columns), shape)  # type: ignore[no-any-return]
        if len(slots) > 1 and len(set(slots)) == 1 and a.op != flat:
            return self.stretch(self.take(a, slots[:1], 1, 1), shape)  # type: ignore[no-any-return]
        return self.node(take, (a,), shape, slots)

    def stack(self, parts: Sequence[Array]) -> Array:
        """One above the other, with as many columns each; what does not vary or has one column is stretched."""
        if len(parts) == 1:
            return parts[0]
        columns = max(part.shape.columns for part in parts)
        varies = any(part.shape.varies for part in parts)
        inner = [part.args if part.op == stack and part.shape.columns == columns else (part,) for part in parts]
        parts = [part for some in inner for part in some]
        return self.node(stack, tuple(parts), Shape(sum(part.shape.rows for part in parts), columns, varies))

    def row_of(self, number: float, columns: int = 1) -> Array:
        """A row of one number."""
        return self.numbers([number], 1, columns)

    def fit(self, a: Any, shape: Shape) -> Any:
        """Added up over the rows, columns and samples along which an operand of this shape had been stretched."""
        if is_zero(a) or a.shape == shape:
            return a
        if a.shape.rows != shape.rows:
            a = self.reduce(ops.add, a)
        if a.shape.varies and not shape.varies:
            if shape.columns == 1:
                return self.sum_columns(a)
            raise ValueError(f"an array of {a.shape} does not come from one of {shape}")
        if a.shape.columns != shape.columns:  # one column that was stretched, of what does not vary or of what does
            if not a.shape.varies:
                return self.sum_columns(a)
            slots, columns = range(a.shape.slots), a.shape.columns
            turned = self.take(a, [slot for c in range(columns) for slot in slots[c::columns]], columns, a.shape.rows)
            return self.regroup(self.reduce(ops.add, turned), shape.rows, 1)
        return a

    def scatter(self, like: Array, parts: Sequence[tuple[tuple[int, ...] | None, Array]]) -> Any:
        """The sum of arrays that belong to some slots of an array, or to all of them."""
        total: Any = 0.0
        for slots, array in parts:
            total = total + array if slots is None else total
        some = [(slots, array) for slots, array in parts if slots is not None]
        if not some:
            return total
        return total + self.regroup(self._gathered(like, some), like.shape.rows, like.shape.columns)

    def _gathered(self, like: Array, parts: Sequence[tuple[tuple[int, ...], Array]]) -> Any:
        """Each slot takes what was put into it, the first of these in the first row and so on, and zeros behind them."""
        size = like.shape.slots
        taken = [slot for slots, _ in parts for slot in slots]
        first = parts[0][1]
        alike = all(_is(array, uniform) and array.detail == first.detail for _, array in parts)
        if alike and sorted(taken) == list(range(size)):
            return self.uniform(Shape(size, 1, first.shape.varies), *first.detail)
        columns = [self.regroup(array, array.shape.slots, 1) for _, array in parts]
        coming: list[list[int]] = [[] for _ in range(size)]
        for number, slot in enumerate(taken):
            coming[slot].append(number)
        for slot in _numbers_in(like):
            coming[slot] = []
        everything = self.stack(columns)
        zero = everything.shape.slots
        if min(map(len, coming)) < max(map(len, coming)):
            everything = self.stack([*columns, self.row_of(0.0)])
        groups = _by_number(coming)
        made = []
        for slots in groups:
            deep = max(1, *[len(coming[slot]) for slot in slots])
            table = [coming[slot][m] if m < len(coming[slot]) else zero for m in range(deep) for slot in slots]
            sums = self.reduce(ops.add, self.take(everything, table, deep, len(slots)))
            made.append(self.regroup(sums, len(slots), 1))
        if len(made) == 1:
            return made[0]
        at = {slot: i for i, slot in enumerate([slot for slots in groups for slot in slots])}
        return self.take(self.stack(made), [at[slot] for slot in range(size)], size, 1)

    def first_of(self, op: Op, a: Array) -> Array:
        """1 at the first largest (or smallest) of each column, 0 elsewhere: the partials of a maximum of many."""
        return self.node(first_largest if op == max_rows else first_smallest, (a,), a.shape)


_SMALL, _LARGE = 2.0**-120, 2.0**120  # numbers that are multiplied beforehand: their product is exact enough in float32


def in_range(factor: float) -> bool:
    """Whether a product of numbers is as good as they are one by one."""
    return _SMALL <= abs(factor) <= _LARGE


def _by_number(coming: list[list[int]]) -> list[list[int]]:
    """The slots in one group, or, where padding would cost too much, in groups with similarly many numbers each."""
    most, total = max(map(len, coming)), sum(map(len, coming))
    if most * len(coming) <= 2 * (total + len(coming)):
        return [list(range(len(coming)))]
    groups: dict[int, list[int]] = {}
    for slot, numbers in enumerate(coming):
        groups.setdefault(max(1, len(numbers)).bit_length(), []).append(slot)
    return list(groups.values())


def _numbers_in(a: Array) -> list[int]:
    """The slots of a stack that hold numbers, of which nobody wants a derivative."""
    found: list[int] = []
    start = 0
    for part in a.args if a.op == stack else ():
        end = start + part.shape.rows * a.shape.columns
        found += range(start, end) if part.op == constants else ()
        start = end
    return found


def partials(node: Array) -> list[Linear]:
    """The linear maps ∂node/∂parent, one per parent."""
    if is_structural(node.op):
        return list(node.op.partials(*node.args, node))
    rules = node.op.partials(*node.args, node)

    def linear(rule: Any, operand: Array) -> Linear:
        return Linear(lambda g: 0.0 if is_zero(rule) else node.graph.fit(rule * g, operand.shape))

    return [linear(rule, arg) for arg, rule in zip(node.args, rules, strict=True) if isinstance(arg, Array)]


# Structural operations. The rows look like the table's; their partials are linear maps.


def _matmul_partials(a: Array, b: Array, y: Array) -> tuple[Linear, ...]:
    graph = y.graph
    return Linear(lambda g: graph.outer(g, b)), Linear(lambda g: graph.matmul(graph.transpose(a), g))


def _take_partials(a: Array, y: Array) -> tuple[Linear, ...]:
    return (Linear(lambda g: Parts(a, [(y.detail, y.graph.stretch(g, y.shape))])),)


def _stack_partials(*parts_and_y: Array) -> tuple[Linear, ...]:
    *parts, y = parts_and_y
    graph, columns = y.graph, y.shape.columns

    def linear(part: Array, start: int) -> Linear:
        rows = range(start * columns, (start + part.shape.rows) * columns)
        return Linear(
            lambda g: graph.fit(graph.take(y.graph.stretch(g, y.shape), rows, part.shape.rows, columns), part.shape)
        )

    ends = [0]
    for part in parts:
        ends.append(ends[-1] + part.shape.rows)
    return tuple([linear(part, start) for part, start in zip(parts, ends, strict=False)])


def _largest_partials(a: Array, y: Array) -> tuple[Linear, ...]:
    return (Linear(lambda g: y.graph.first_of(y.op, a) * g),)


def _never(*args_and_y: Array) -> tuple[Linear, ...]:
    raise TypeError(f"'{args_and_y[-1].op}' is made by the reverse sweep and is not differentiated again")


def _structural(name: str, rule: Callable[..., tuple[Any, ...]]) -> Op:
    op = Op(name, float, None, rule)  # type: ignore[arg-type]  # printed by `numpy_source`, each in its own way
    _STRUCTURAL.add(id(op))
    return op


_STRUCTURAL: set[int] = set()


def is_structural(op: Op) -> bool:
    """Whether an operation moves numbers; the others are rows of the table."""
    return id(op) in _STRUCTURAL


flat = _structural("parameters", lambda y: ())
given = _structural("input", lambda y: ())
constants = _structural("numbers", lambda y: ())
uniform = _structural("uniform", lambda y: ())  # detail (c, shared): c/K everywhere, or c times the samples' share of K
matmul = _structural("matmul", _matmul_partials)
sum_rows = _structural("sum of rows", lambda a, y: (Linear(lambda g: y.graph.stretch(g, a.shape)),))
max_rows = _structural("largest of rows", _largest_partials)
min_rows = _structural("smallest of rows", _largest_partials)
take = _structural("take", _take_partials)
regroup = _structural(
    "regroup", lambda a, y: (Linear(lambda g: y.graph.regroup(y.graph.stretch(g, y.shape), *a.shape[:2])),)
)
stack = _structural("stack", _stack_partials)
stretch = _structural("stretch", lambda a, y: (Linear(lambda g: y.graph.fit(g, a.shape)),))
# the rest is made by the reverse sweep or by rewrites, and never differentiated
outer = _structural("outer", _never)
transpose = _structural("transpose", _never)
sum_columns = _structural("sum of columns", _never)
first_largest = _structural("first largest", _never)
first_smallest = _structural("first smallest", _never)
minus_exponential = _structural("minus exponential", _never)
logistic = _structural("logistic", _never)
total = _structural("total", _never)
squared_length = _structural("squared length", _never)


def _within(a: Array, slots: Iterable[int]) -> list[int]:
    """Slots of a stretched array as slots of what was stretched."""
    columns, (rows, inner, _) = a.shape.columns, a.args[0].shape
    return [(slot // columns if rows > 1 else 0) * inner + (slot % columns if inner > 1 else 0) for slot in slots]


def stretched(args: Iterable[Any]) -> Shape:
    """The shape of a result, element by element."""
    shapes = [arg.shape for arg in args if isinstance(arg, Array)]
    return Shape(
        max(shape.rows for shape in shapes), max(shape.columns for shape in shapes), any(s.varies for s in shapes)
    )


def _aligned(graph: ArrayGraph, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Operands whose shapes NumPy stretches; where columns of slots and of samples would clash, all get one column.

    NumPy sees rows × (columns · K), so it cannot repeat one column of what varies, nor give each sample its share of
    several columns that do not.
    """
    shapes = [arg.shape for arg in args if isinstance(arg, Array) and arg.op != uniform]
    columns = max([shape.columns for shape in shapes], default=1)
    varies = any(shape.varies for shape in shapes)
    if (
        columns == 1
        or not varies
        or all(s.columns == (columns if s.varies else 1) or (s.slots == 1 and not s.varies) for s in shapes)
    ):
        return args
    most = max(shape.slots for shape in shapes)
    rows = max(shape.rows for shape in shapes if shape.columns == columns)
    slots = max(most, rows * columns)

    def flattened(arg: Any) -> Any:
        if not isinstance(arg, Array) or arg.shape.slots == 1:
            return arg
        if arg.shape.slots < slots:
            arg = graph.stretch(arg, arg.shape._replace(rows=slots // columns, columns=columns))
        return graph.regroup(arg, slots, 1)

    return tuple(map(flattened, args))


def _is(a: Any, op: Op) -> bool:
    return isinstance(a, Array) and a.op == op


def is_scalar(a: Any) -> bool:
    """Whether it is one number everywhere."""
    return not isinstance(a, Array) or a.op == uniform


def is_number(a: Any, number: float) -> bool:
    """Whether it is this number, known at compile time."""
    return not isinstance(a, Array) and a == number


def is_zero(a: Any) -> bool:
    """Whether it is the number 0."""
    return is_number(a, 0.0)
