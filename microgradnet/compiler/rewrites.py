"""Rewrites: named rules that save work and keep the numbers, from array graph to array graph.

A rule gets a node whose operands have been rewritten, and returns a better node or None. The rules of `LAYERS` are applied
before the derivative is taken, so the gradient profits too; those of `PROGRAM` are applied to what a program computes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

from .. import ops
from ..graph import depth_first
from . import array_ops
from .array_graph import Array, ArrayGraph, in_range, is_number

Rule = Callable[["Rewriting", Array], "Array | None"]


class Rewriting:
    """The arrays that stand for those under some roots once the rules have been applied: `rewriting[array]`."""

    def __init__(self, graph: ArrayGraph, roots: Iterable[Array], rules: Sequence[Rule]) -> None:
        self.graph, self.rules = graph, rules
        order = depth_first([*roots], attrgetter("parents"))
        self.sigmoids = {node.args[0] for node in order if node.op == ops.sigmoid}
        self._now: dict[Array, Array] = {}
        for node in order:
            self._now[node] = self._rewritten(node)

    def __getitem__(self, array: Array) -> Array:
        return self._now.get(array, array)

    def of(self, arg: Any) -> Any:
        """A rewritten operand, or the number that it is."""
        return self[arg] if isinstance(arg, Array) else arg

    def _rewritten(self, node: Array) -> Array:
        for rule in self.rules:
            better = rule(self, node)
            if better is not None:
                return better
        args = tuple(map(self.of, node.args))
        if args == node.args:
            return node
        return self.graph.node(node.op, args, node.shape, node.detail)


def bias_in_the_product(now: Rewriting, node: Array) -> Array | None:
    """A y + b becomes [A b] times y with a row of ones below it: one call instead of two, forward and backward.

    Not if A and b do not lie side by side in theta. Nor if y is an input, which would have to be copied, unless the copy
    is smaller than what it saves: y has fewer rows than A.
    """
    if node.op != ops.add or not all(isinstance(arg, Array) for arg in node.args):
        return None
    product, bias = map(now.of, node.args)
    if product.op != array_ops.matmul or not all(a.op == array_ops.take for a in (product.args[0], bias)):
        return None
    matrix, y = product.args
    rows, width, _ = matrix.shape
    flat = matrix.args[0]
    if flat.op != array_ops.flat or bias.args[0] is not flat or bias.shape != (rows, 1, False):
        return None
    if not _computed(y) and width >= rows:
        return None
    slots = [slot for r in range(rows) for slot in (*matrix.detail[r * width : (r + 1) * width], bias.detail[r])]
    if slots != [slots[0] + step for step in range(len(slots))]:
        return None
    together = now.graph.take(flat, slots, rows, width + 1)
    ones = now.graph.row_of(1.0, y.shape.columns)
    return now.graph.matmul(together, now.graph.stack([y, ones]))


def sigmoid_in_halves(now: Rewriting, node: Array) -> Array | None:
    """σ(x) becomes y = 1 / (1 + e) with e = e⁻ˣ, σ′(x) y times e y, and σ(−x), too, e y if σ(x) is known."""
    if node.op not in (ops.sigmoid, ops.sigmoid_slope):
        return None
    x = node.args[0]
    opposite = -x if x.op == ops.mul and isinstance(x.args[0], float) and x.args[0] < 0.0 else None
    turned = opposite in now.sigmoids
    e = now.graph.node(array_ops.minus_exponential, (now.of(opposite if turned else x),), node.shape)
    y = now.graph.node(array_ops.logistic, (e,), node.shape)
    other = now.graph.node(array_ops.opposite, (e, y), node.shape)
    if node.op == ops.sigmoid_slope:
        return y * other  # type: ignore[no-any-return]
    return other if turned else y


def detached(now: Rewriting, node: Array) -> Array | None:
    """Once the derivatives are taken, a detached array is the array itself."""
    return now[node.args[0]] if node.op == ops.detach else None


def difference(now: Rewriting, node: Array) -> Array | None:
    """a + (−1 · b) becomes a − b."""
    if node.op != ops.add:
        return None
    a, b = map(now.of, node.args)
    if _is_negative(b):
        return now.graph.node(ops.sub, (a, b.args[1]), node.shape)
    return now.graph.node(ops.sub, (b, a.args[1]), node.shape) if _is_negative(a) else None


def sign_behind_the_sum(now: Rewriting, node: Array) -> Array | None:
    """The sum of −1 · a becomes −1 times the sum of a, which has fewer numbers."""
    if node.op != array_ops.sum_rows or not _is_negative(now[node.args[0]]):
        return None
    total = now.graph.node(node.op, (now[node.args[0]].args[1],), node.shape)
    return now.graph.node(ops.mul, (-1.0, total), node.shape)


def _is_negative(a: Any) -> bool:
    return isinstance(a, Array) and a.op == ops.mul and is_number(a.args[0], -1.0)


def total_of_the_parts(now: Rewriting, node: Array) -> Array | None:
    """The total of a sum is the total of its operands; the total of c · a is c times that of a; that of a² is a · a."""
    if node.op != array_ops.total:
        return None
    (cost,), factor = map(now.of, node.args), node.detail
    while True:
        if cost.op in (array_ops.sum_rows, array_ops.regroup):
            (cost,) = cost.args
        elif cost.op == ops.mul and isinstance(cost.args[0], float) and in_range(factor * cost.args[0]):
            factor, cost = factor * cost.args[0], cost.args[1]
        else:
            break
    if cost.op == "**2":
        return now.graph.node(array_ops.squared_length, cost.args, node.shape, factor)
    return now.graph.node(array_ops.total, (cost,), node.shape, factor)


LAYERS: tuple[Rule, ...] = (bias_in_the_product,)
PROGRAM: tuple[Rule, ...] = (detached, sigmoid_in_halves, difference, sign_behind_the_sum, total_of_the_parts)


def _computed(a: Array) -> bool:
    """Whether a statement computes it, so that it can be computed where it is wanted."""
    while a.op == array_ops.regroup:
        (a,) = a.args
    return (bool(a.parents) and a.op not in (array_ops.take, array_ops.stretch)) or a.op == array_ops.stack
