"""The derivative: from the array graph of a cost to that of its gradient, by the reverse sweep.

Operations of the table are differentiated by their own rules, run on arrays. The rules of the structural operations, which
are linear maps between arrays, are stated here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, NamedTuple

from ..graph import depth_first, reverse
from ..ops import Op, arity, is_built_in
from ..symbols import symbolic
from . import array_ops
from .adjoints import Linear, Parts
from .array_graph import Array, ArrayGraph, is_zero


class Gradient(NamedTuple):
    """The mean of a cost over a batch, and its derivatives.

    mean: `total` of the cost, whose detail is the factor in front. parts: the gradient of the parameters, as slots of
    them and the array that belongs there; what belongs to one slot is added up. adjoints: ∂mean/∂array.
    """

    mean: Array
    parts: list[tuple[tuple[int, ...], Array]]
    adjoints: dict[Array, Any]


def differentiate(graph: ArrayGraph, cost: Array, theta: Array) -> Gradient:
    """The gradient of the mean of a cost, shape (1, 1), with respect to all parameters."""
    order = depth_first([cost], attrgetter("parents"))
    leading = {theta}  # arrays that depend on the parameters; other derivatives are not needed
    for node in order:
        if not leading.isdisjoint(node.parents):
            leading.add(node)

    def partials(node: Array) -> list[Any]:
        maps = array_partials(node)
        return [one if parent in leading else _NOTHING for parent, one in zip(node.parents, maps, strict=True)]

    adjoints: dict[Array, Any] = {cost: graph.uniform(cost.shape, 1.0, not cost.shape.varies)}
    reverse([node for node in order if node in leading and node is not theta], adjoints, partials)
    whole = adjoints.get(theta, 0.0)
    parts = [(slots, array) for slots, array in whole.parts if slots is not None] if isinstance(whole, Parts) else []
    parts.sort(key=lambda part: -max(part[0]))  # the last layer first, as in the sweep
    mean = graph.node(array_ops.total, (cost,), cost.shape._replace(varies=False), 1.0)
    return Gradient(
        mean, parts, {a: d.together() if isinstance(d, Parts) else d for a, d in adjoints.items() if a is not theta}
    )


def refuse_rules_of_numbers(operations: Iterable[Op]) -> None:
    """A TypeError for a row of a user whose partials run on plain numbers alone."""
    for op in operations:
        if not is_built_in(op) and symbolic(op, *"ab"[: arity(op.partials)]) is None:
            raise TypeError(
                f"the partials of {str(op)!r} cannot be compiled: they look at a number (an `if`, a comparison, isinstance) or "
                "call functions that are not the table's; write them in operators and operations of the table, as "
                "ops.step(x) or ops.cos(x)"
            )


_NOTHING = Linear(lambda adjoint: 0.0)


def array_partials(node: Array) -> list[Linear]:
    """The linear maps ∂node/∂parent, one per parent."""
    if array_ops.is_structural(node.op):
        return list(RULES[node.op](*node.args, node))
    rules = node.op.partials(*node.args, node)

    def linear(rule: Any, operand: Array) -> Linear:
        return Linear(lambda g: 0.0 if is_zero(rule) else node.graph.fit(rule * g, operand.shape))

    return [linear(rule, arg) for arg, rule in zip(node.args, rules, strict=True) if isinstance(arg, Array)]


# The rules of the structural operations: one linear map per operand.


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
    return tuple([linear(part, start) for part, start in zip(parts, ends[:-1], strict=True)])


def _largest_partials(a: Array, y: Array) -> tuple[Linear, ...]:
    op = array_ops.first_largest if y.op == array_ops.max_rows else array_ops.first_smallest
    first = y.graph.node(op, (a,), a.shape)  # 1 there, and 0 elsewhere
    return (Linear(lambda g: first * g),)


RULES: dict[str, Callable[..., tuple[Linear, ...]]] = {
    array_ops.flat: lambda y: (),
    array_ops.given: lambda y: (),
    array_ops.constants: lambda y: (),
    array_ops.uniform: lambda y: (),
    array_ops.matmul: _matmul_partials,
    array_ops.sum_rows: lambda a, y: (Linear(lambda g: y.graph.stretch(g, a.shape)),),
    array_ops.max_rows: _largest_partials,
    array_ops.min_rows: _largest_partials,
    array_ops.take: _take_partials,
    array_ops.regroup: lambda a, y: (
        Linear(lambda g: y.graph.regroup(y.graph.stretch(g, y.shape), a.shape.rows, a.shape.columns)),
    ),
    array_ops.stack: _stack_partials,
    array_ops.stretch: lambda a, y: (Linear(lambda g: y.graph.fit(g, a.shape)),),
}
"""Of each structural operation that is differentiated: from operands and result to a linear map per operand."""
