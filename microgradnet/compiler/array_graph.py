"""The array graph: a few arrays instead of thousands of scalars.

An `Array` holds rows × columns scalars, its slots, counted row by row. If it varies with the sample it has K numbers per slot
and is a NumPy array of shape (rows, columns · K); otherwise it has one number per slot. A node applies an operation of the
table element by element, or one of the structural operations of `array_ops`, which move numbers between slots.

Equal nodes are one node, and trivial products and sums are left out. This module knows nothing of NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from .. import ops
from ..graph import depth_first
from ..ops import Op
from ..symbols import Arithmetic
from . import array_ops


class Shape(NamedTuple):
    """Rows and columns of slots, and whether there is a number per sample in each."""

    rows: int
    columns: int
    varies: bool

    @property
    def slots(self) -> int:
        """How many scalars it has."""
        return self.rows * self.columns


class Array(Arithmetic):
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
        return (
            ops.add(self, other) if isinstance(other, (Array, float)) else NotImplemented
        )  # such as an adjoint in parts


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
        return self.node(array_ops.flat, (), Shape(size, 1, False))

    def input(self, j: int, size: int) -> Array:
        """The j-th input."""
        return self.node(array_ops.given, (), Shape(size, 1, True), j)

    def numbers(self, numbers: Sequence[float], rows: int, columns: int) -> Array:
        """Numbers known at compile time, row by row; kept as text, which tells 0.0 from -0.0."""
        texts = tuple([repr(number) for number in numbers])
        return self.node(
            array_ops.constants, (), Shape(rows, columns, False), texts[:1] if len(set(texts)) == 1 else texts
        )

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
            if (
                _is(a, array_ops.uniform)
                and _is(b, array_ops.uniform)
                and a.shape == b.shape
                and a.detail[1] == b.detail[1]
            ):
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
        """a · b. Two numbers become one if their product stays in range, and signs move to the front; nothing else moves."""
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
        """The product of two numbers, or None if it is so large or small that digits could get lost."""
        shares = [x for x in (a, b) if isinstance(x, Array)]
        if len(shares) == 2:
            return None
        factor = math.prod([x.detail[0] if isinstance(x, Array) else x for x in (a, b)])
        if not in_range(factor):
            return None
        return self.uniform(shares[0].shape, factor, shares[0].detail[1]) if shares else factor

    def uniform(self, shape: Shape, number: float, shared: bool) -> Array:
        """number / K everywhere, or the number times the share that these columns have in all K."""
        return self.node(array_ops.uniform, (), shape, (number, shared))

    # Moving numbers between shapes.

    def matmul(self, a: Array, b: Array) -> Array:
        """A (R × J) times J rows, for every column and sample."""
        return self.node(array_ops.matmul, (a, b), Shape(a.shape.rows, b.shape.columns, b.shape.varies))

    def outer(self, a: Array, b: Array) -> Array:
        """a bᵀ, added up over columns and samples: R rows and J rows make R × J."""
        return self.node(array_ops.outer, (a, b), Shape(a.shape.rows, b.shape.rows, False))

    def transpose(self, a: Array) -> Array:
        """Rows become columns; for arrays that do not vary."""
        return (
            a.args[0]
            if a.op == array_ops.transpose
            else self.node(array_ops.transpose, (a,), Shape(a.shape.columns, a.shape.rows, False))
        )

    def reduce(self, op: Op, a: Array) -> Any:
        """All rows added up, or the largest or smallest of each column: one row."""
        shape = a.shape._replace(rows=1)
        if a.shape.rows == 1:
            return a
        if _is(a, array_ops.uniform) and op == ops.add:
            return self.uniform(shape, a.detail[0] * a.shape.rows, a.detail[1])
        return self.node(
            {ops.add: array_ops.sum_rows, ops.maximum: array_ops.max_rows, ops.minimum: array_ops.min_rows}[op],
            (a,),
            shape,
        )

    def sum_columns(self, a: Any) -> Any:
        """The sum over columns and samples."""
        shape = Shape(a.shape.rows, 1, False)
        if (
            _is(a, array_ops.uniform) and a.shape.varies
        ):  # 1/K per sample adds up to the share of these samples in all K
            return self.uniform(shape, a.detail[0] * a.shape.columns, True)
        return a if a.shape == shape else self.node(array_ops.sum_columns, (a,), shape)

    def stretch(self, a: Any, shape: Shape) -> Any:
        """Rows or columns of length 1 repeated to this shape; a column of what varies is copied."""
        if _is(a, array_ops.uniform):
            return self.uniform(shape, *a.detail)
        if a.shape.varies and a.shape.columns < shape.columns:  # NumPy sees K numbers there, and cannot repeat them
            rows = range(shape.rows) if a.shape.rows == shape.rows else [0] * shape.rows
            return self.node(array_ops.take, (a,), shape, tuple([r for r in rows for _ in range(shape.columns)]))
        return a if a.shape == shape else self.node(array_ops.stretch, (a,), shape)

    def regroup(self, a: Any, rows: int, columns: int) -> Any:
        """The same slots as other rows and columns."""
        shape = Shape(rows, columns, a.shape.varies)
        if a.shape == shape:
            return a
        if _is(a, array_ops.uniform) or _is(a, array_ops.constants):
            return self.node(a.op, (), shape, a.detail)
        if _is(a, array_ops.regroup):
            return self.regroup(a.args[0], rows, columns)
        if _is(a, array_ops.take):
            return self.take(a.args[0], a.detail, rows, columns)
        if _is(a, array_ops.stretch):
            return self.take(a, range(a.shape.slots), rows, columns, whole=False)
        return self.node(array_ops.regroup, (a,), shape)

    def take(self, a: Array, slots: Sequence[int], rows: int, columns: int, whole: bool = True) -> Array:
        """These slots of it, as rows × columns; all of them in their order are no `take`, if whole."""
        slots = tuple(slots)
        shape = Shape(rows, columns, a.shape.varies)
        if whole and slots == tuple(range(a.shape.slots)) and a.op != array_ops.flat:
            return self.regroup(a, rows, columns)  # type: ignore[no-any-return]
        if _is(a, array_ops.uniform):
            return self.node(array_ops.uniform, (), shape, a.detail)
        if _is(a, array_ops.constants):
            texts = a.detail if len(a.detail) == 1 else tuple([a.detail[slot] for slot in slots])
            return self.node(array_ops.constants, (), shape, texts[:1] if len(set(texts)) == 1 else texts)
        if _is(a, array_ops.regroup):
            return self.take(a.args[0], slots, rows, columns)
        if _is(a, array_ops.take):
            return self.take(a.args[0], [a.detail[slot] for slot in slots], rows, columns)
        if _is(a, array_ops.stretch):
            return self.stretch(self.take(a.args[0], _within(a, slots), rows, columns), shape)  # type: ignore[no-any-return]
        if len(slots) > 1 and len(set(slots)) == 1 and a.op != array_ops.flat:
            return self.stretch(self.take(a, slots[:1], 1, 1), shape)  # type: ignore[no-any-return]
        return self.node(array_ops.take, (a,), shape, slots)

    def stack(self, parts: Sequence[Array]) -> Array:
        """One above the other, with as many columns each; what does not vary or has one column is stretched."""
        if len(parts) == 1:
            return parts[0]
        columns = max(part.shape.columns for part in parts)
        varies = any(part.shape.varies for part in parts)
        inner = [
            part.args if part.op == array_ops.stack and part.shape.columns == columns else (part,) for part in parts
        ]
        parts = [part for some in inner for part in some]
        return self.node(array_ops.stack, tuple(parts), Shape(sum(part.shape.rows for part in parts), columns, varies))

    def row_of(self, number: float, columns: int = 1) -> Array:
        """A row of one number."""
        return self.numbers([number], 1, columns)

    def fit(self, a: Any, shape: Shape) -> Any:
        """The sum over the rows, columns and samples along which an operand of this shape was stretched."""
        if is_zero(a) or a.shape == shape:
            return a
        if a.shape.rows != shape.rows:
            a = self.reduce(ops.add, a)
        if a.shape.columns == shape.columns and a.shape.varies <= shape.varies:
            return a
        if shape.columns > 1 or shape.varies:
            raise ValueError(f"an array of {a.shape} does not come from one of {shape}")
        return self.sum_columns(a)


def describe(*roots: Array) -> str:
    """The arrays that some roots depend on, one a line, with rows × columns, and K where there is a number per sample."""
    names: dict[Any, str] = {}
    lines = []
    for node in depth_first(roots, attrgetter("parents")):
        names[node] = f"a{len(names) + 1}"
        operands = [names[arg] if isinstance(arg, Array) else repr(arg) for arg in node.args]
        detail = "" if node.detail is None else f" {node.detail}"
        shape = f"{node.shape.rows} × {node.shape.columns}{' × K' if node.shape.varies else ''}"
        lines.append(f"{names[node]}: {shape} = {node.op.strip()}({', '.join(operands)}){detail}")
    return "\n".join([*lines, f"roots: {', '.join([names[root] for root in roots])}"])


# The range in which the compiler multiplies numbers itself; float32 has room around it.
_SMALL, _LARGE = 2.0**-120, 2.0**120


def in_range(factor: float) -> bool:
    """Whether a product of numbers is as good as they are one by one."""
    return _SMALL <= abs(factor) <= _LARGE


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
    """The operands in shapes that NumPy can broadcast; where it cannot, all of them with a single column of slots.

    NumPy sees (rows, columns · K). It cannot repeat a column that varies, or combine several columns that vary with
    several that do not.
    """
    shapes = [arg.shape for arg in args if isinstance(arg, Array) and arg.op != array_ops.uniform]
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
    return not isinstance(a, Array) or a.op == array_ops.uniform


def is_number(a: Any, number: float) -> bool:
    """Whether it is this number, known at compile time."""
    return not isinstance(a, Array) and a == number


def is_zero(a: Any) -> bool:
    """Whether it is the number 0."""
    return is_number(a, 0.0)
