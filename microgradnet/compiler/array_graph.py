"""The array graph: what the compiler computes on, a few nodes instead of thousands of scalars.

An `Array` stands for rows × columns numbers. What varies with the sample has one column per sample (columns = K), what
depends on parameters alone has 1 column, a matrix of weights has its own number. Elementwise nodes hold an operation
of the table; the few structural operations below move numbers between shapes. All have partials, so that the reverse
sweep of `autodiff` differentiates this graph as it does any other. A partial here is a linear map, `Linear`, which
`partial * adjoint` applies.

Equal nodes are one node, and trivial products and sums vanish as they are built.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .. import ops
from ..ops import Op

K = -1  # the number of columns of what varies with the sample


class Array:
    """A node of the array graph.

    op, args: operation and operands (Arrays, or floats for numbers known at compile time). detail: what else defines
    it. shape: (rows, columns).
    """

    __slots__ = ("args", "d_first", "d_second", "detail", "first", "graph", "op", "parents", "second", "shape")

    def __init__(self, graph: Graph, op: Op, args: tuple[Any, ...], shape: tuple[int, int], detail: Any) -> None:
        self.graph, self.op, self.args, self.shape, self.detail = graph, op, args, shape, detail
        self.parents = tuple([arg for arg in args if isinstance(arg, Array)])
        self.first = self.parents or None
        self.second = self.d_first = self.d_second = ()

    def _record(self, op: Op, operands: tuple[Any, ...]) -> Any:
        if op == ops.sigmoid:
            return self.graph.sigmoid_in_a_slope(*operands)
        return self.graph.elementwise(op, *operands)

    def __add__(self, other: Any) -> Any:
        return ops.add(self, other)

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

    def __pow__(self, exponent: Any) -> Any:
        return ops.pow_(self, exponent) if isinstance(exponent, Array) else ops.power(exponent)(self)

    def __rpow__(self, base: Any) -> Any:
        return ops.pow_(base, self)


class Linear:
    """A partial derivative of an array by an array: the map that takes ∂C/∂result to ∂C/∂operand."""

    def __init__(self, apply: Callable[[Any], Any]) -> None:
        self.apply = apply

    def __mul__(self, adjoint: Any) -> Any:
        return adjoint if _is_zero(adjoint) else self.apply(adjoint)


class Graph:
    """Builds Arrays; equal ones once."""

    def __init__(self) -> None:
        self._known: dict[Any, Array] = {}

    def node(self, op: Op, args: tuple[Any, ...], shape: tuple[int, int], detail: Any = None) -> Array:
        """The node with these contents."""
        key = (op, tuple([id(arg) if isinstance(arg, Array) else arg for arg in args]), shape, detail)
        if key not in self._known:
            self._known[key] = Array(self, op, args, shape, detail)
        return self._known[key]

    def elementwise(self, op: Op, *args: Any) -> Any:
        """An operation of the table, element by element; rows and columns of length 1 are stretched."""
        if not any(isinstance(arg, Array) for arg in args):
            return op.value(*args)
        if op == ops.add or op == ops.sub:
            a, b = args
            if _is_zero(b):
                return a
            if _is_zero(a):
                return b if op == ops.add else -b
            if any(_is(arg, accumulated) for arg in args):  # adjoints of parts of an array
                if a.detail == b.detail == "theta":
                    return self.node(accumulated, args, a.shape, a.detail)
                parts = [part for arg in args for part in (arg.args if _is(arg, accumulated) else (arg,))]
                return self.node(accumulated, tuple(parts), a.shape)
            if _is(a, uniform) and _is(b, uniform) and a.shape == b.shape and a.detail[1] == b.detail[1]:
                number = ops.named(op).value(a.detail[0], b.detail[0])
                return self.node(uniform, (), a.shape, (number, a.detail[1]))
        if op == ops.mul:
            return self._product(*args)
        if op == ops.neg:
            return self._product(-1.0, *args)
        if op == "**1":
            return args[0]
        if op == ops.sigmoid:
            return self._sigmoid(*args)
        return self.node(op, args, _stretched(args))

    def _product(self, a: Any, b: Any) -> Any:
        """a · b, with all numbers and `uniform` factors gathered into one in front."""
        factor, core = 1.0, []
        spread: tuple[int, int] = (1, 1)
        shared = None
        for arg in (a, b):
            scalar, rest = arg.args if _is(arg, ops.mul) and _is_scalar(arg.args[0]) else (1.0, arg)
            for part in (scalar, rest):
                if not isinstance(part, Array):
                    factor *= part
                elif _is(part, uniform):
                    factor, shared, spread = factor * part.detail[0], part.detail[1], part.shape
                else:
                    core.append(part)
        if not 2.3e-308 <= abs(factor) < math.inf:  # numbers of very different size: only together do they overflow
            return self.node(ops.mul, (a, b), _stretched((a, b)))
        scale: Any = factor if shared is None else self.node(uniform, (), spread, (factor, shared))
        if not core:
            return scale
        product = core[0] if len(core) == 1 else self.node(ops.mul, tuple(core), _stretched(core))
        if shared is None and factor == 1.0:
            return product
        return self.node(ops.mul, (scale, product), _stretched((scale, product)))

    def sigmoid_in_a_slope(self, x: Any) -> Any:
        """σ(−x) as e⁻ˣ σ(x): one multiplication where both are at hand. Nobody differentiates it again."""
        if not (_is(x, ops.mul) and _is_number(x.args[0], -1.0)):
            return self._sigmoid(x)
        x = x.args[1]
        return self._product(self.node(minus_exponential, (x,), x.shape), self._sigmoid(x))

    def _sigmoid(self, x: Any) -> Any:
        """σ(x) in two halves, e = e⁻ˣ and 1 / (1 + e), of which the slope can use the first again."""
        e = self.node(minus_exponential, (x,), x.shape)
        y = self.node(ops.sigmoid, (e,), x.shape)
        y.parents = (x,)  # to the derivative it is the sigmoid of x
        return y

    # Moving numbers between shapes.

    def matmul(self, a: Array, b: Array) -> Array:
        """The matrix product."""
        return self.node(matmul, (a, b), (a.shape[0], b.shape[1]))

    def transpose(self, a: Array) -> Array:
        """Rows become columns."""
        return a.args[0] if _is(a, transpose) else self.node(transpose, (a,), (a.shape[1], a.shape[0]))

    def sum_rows(self, a: Any, blocks: int = 1) -> Any:
        """The sum over rows, in so many blocks of rows that lie behind each other."""
        if _is(a, uniform):
            number, shared = a.detail
            return self.node(uniform, (), (blocks, a.shape[1]), (number * (a.shape[0] // blocks), shared))
        return a if a.shape[0] == blocks else self.node(sum_rows, (a,), (blocks, a.shape[1]))

    def sum_columns(self, a: Any) -> Any:
        """The sum over columns."""
        if _is(a, uniform):  # 1/K per column: together the share of these columns in all K
            return self.node(uniform, (), (a.shape[0], 1), (a.detail[0], True))
        return self.node(sum_columns, (a,), (a.shape[0], 1))

    def stretch(self, a: Any, shape: tuple[int, int]) -> Any:
        """Rows or columns of length 1 repeated to this shape (blocks of rows, if there are several)."""
        if _is(a, uniform):
            return self.node(uniform, (), shape, a.detail)
        return a if a.shape == shape else self.node(stretch, (a,), shape)

    def take(self, a: Array, rows: Iterable[int], shape: tuple[int, int] | None = None) -> Array:
        """These rows of it, in this order; all equal, they are one row. shape: if they form a matrix."""
        rows = tuple(rows)
        if shape is None and len(set(rows)) == 1:
            rows = rows[:1]
        if _is(a, uniform) or (a.op == given and isinstance(a.detail, float)):  # one number everywhere
            return self.node(a.op, (), shape or (len(rows), a.shape[1]), a.detail)
        if _is(a, stretch) and a.args[0].shape[0] == 1:
            return self.stretch(a.args[0], shape or (len(rows), a.shape[1]))  # type: ignore[no-any-return]
        if shape is None:
            if rows == tuple(range(a.shape[0])) and a.op != flat:
                return a
            shape = (len(rows), 1 if a.op == flat else a.shape[1])
        return self.node(take, (a,), shape, rows)

    def stack(self, parts: list[Array]) -> Array:
        """One above the other."""
        if len(parts) == 1:
            return parts[0]
        columns = K if any(part.shape[1] == K for part in parts) else 1
        return self.node(stack, tuple(parts), (sum(part.shape[0] for part in parts), columns))

    def and_ones(self, a: Array) -> Array:
        """With a row of ones below."""
        parts = a.args if a.op == stack else (a,)
        return self.stack([*parts, self.node(given, (), (1, 1), 1.0)])

    def fit(self, a: Any, shape: tuple[int, int]) -> Any:
        """Summed over the rows and columns along which an operand of this shape had been stretched."""
        if _is_zero(a):
            return a
        if a.shape[0] != shape[0]:
            a = self.sum_rows(a)
        return self.sum_columns(a) if a.shape[1] != shape[1] else a

    def put(self, a: Any, like: Array, rows: tuple[int, ...]) -> Any:
        """Zeros of the shape of `like`, with `a` added into these rows: the adjoint of `take`."""
        if like.op == given:
            return 0.0  # nobody asks for it
        part = self.node(put, (a,), like.shape, rows)
        return self.node(accumulated, (part,), like.shape, "theta" if like.op == flat else None)


def partials(node: Array) -> list[Linear]:
    """The linear maps ∂node/∂parent, one per parent."""
    rules = node.op.partials(*(node.parents if node.op == ops.sigmoid else node.args), node)
    if node.op not in ops.TABLE and not node.op.startswith("**"):
        return list(rules)
    args = node.parents if node.op == ops.sigmoid else node.args
    return [
        Linear(lambda g, rule=rule, shape=arg.shape: 0.0 if _is_zero(rule) else node.graph.fit(rule * g, shape))  # type: ignore[misc]
        for arg, rule in zip(args, rules, strict=True)
        if isinstance(arg, Array)
    ]


# Structural operations. The rows look like the table's; their partials are linear maps.


def _matmul_partials(a: Array, b: Array, y: Array) -> tuple[Linear, ...]:
    graph = y.graph
    return (
        Linear(lambda g: graph.matmul(g, graph.transpose(b))),
        Linear(lambda g: graph.matmul(graph.transpose(a), g)),
    )


def _take_partials(a: Array, y: Array) -> tuple[Linear, ...]:
    return (Linear(lambda g: y.graph.put(g, a, y.detail)),)


def _stack_partials(*parts_and_y: Array) -> tuple[Linear, ...]:
    *parts, y = parts_and_y
    ends = np.cumsum([part.shape[0] for part in parts]).tolist()
    return tuple(
        Linear(lambda g, part=part, end=end: y.graph.fit(y.graph.take(g, range(end - part.shape[0], end)), part.shape))  # type: ignore[misc]
        for part, end in zip(parts, ends, strict=True)
    )


def parts(adjoint: Any) -> list[Array]:
    """The puts of which the adjoint of the parameters is made."""
    puts, stack = [], [adjoint]
    while stack:
        node = stack.pop()
        if _is(node, accumulated):
            stack.extend(reversed(node.args))
        elif _is(node, put):
            puts.append(node)
    return puts


def _structural(name: str, rule: Callable[..., tuple[Any, ...]]) -> Op:
    return Op(name, float, np.positive, rule)


flat = _structural("flat", lambda y: ())  # all parameters, one behind the other
given = _structural("given", lambda y: ())  # an input, or constants
uniform = _structural("uniform", lambda y: ())  # detail (c, shared): c/K everywhere, or c times the columns' share of K
matmul = _structural("matmul", _matmul_partials)
sum_rows = _structural("sum rows", lambda a, y: (Linear(lambda g: y.graph.stretch(g, a.shape)),))
take = _structural("take", _take_partials)
stack = _structural("stack", _stack_partials)
stretch = _structural("stretch", lambda a, y: (Linear(lambda g: y.graph.fit(g, a.shape)),))
# the rest is made by the reverse sweep or hidden from it, and never differentiated
transpose = _structural("transpose", lambda a, y: ())
sum_columns = _structural("sum columns", lambda a, y: ())
put = _structural("put", lambda a, y: ())
accumulated = _structural("accumulated", lambda *parts_and_y: ())
minus_exponential = _structural("minus exponential", lambda x, y: ())


def _stretched(args: Iterable[Any]) -> tuple[int, int]:
    shapes = [arg.shape for arg in args if isinstance(arg, Array)]
    columns = [shape[1] for shape in shapes]
    return max(shape[0] for shape in shapes), K if K in columns else max(columns)


def _is(a: Any, op: Op) -> bool:
    return isinstance(a, Array) and a.op == op


def _is_scalar(a: Any) -> bool:
    return not isinstance(a, Array) or a.op == uniform


def _is_number(a: Any, number: float) -> bool:
    return not isinstance(a, Array) and a == number


def _is_zero(a: Any) -> bool:
    return _is_number(a, 0.0)
