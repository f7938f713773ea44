"""`explain`: a derivative written out as what it is, a sum over paths of products of local derivatives.

The sweeps never form these products. Here they are all written down, so that one can read where a gradient comes from,
and check it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from .._tables import html_table
from .._validation import describe
from ..derivatives import grad
from ..graph import forward, topological_order
from ..value import Value

_MOST_PATHS = 5000


class PathProduct(NamedTuple):
    """One path from the output to a value: the names of its nodes, the local derivatives on it, and their product."""

    names: list[str]
    factors: list[float]
    product: float


@dataclass(frozen=True)
class Explanation:
    """What `explain` gives: `paths`, and their `total`; as a str and in a notebook, a line for each path, the sum below."""

    paths: list[PathProduct]
    total: float

    def __str__(self) -> str:
        lines = [f"{product:>14} = {factors:<32} | {names}" for product, factors, names in self._cells()]
        return "\n".join([*lines, f"{self.total!r:>14} = {self._sum()}"])

    def _repr_html_(self) -> str:
        columns = ("product", "local derivatives", "path")
        return html_table(columns, self._cells(), note=f"{self.total!r} = {self._sum()}")

    def _cells(self) -> list[tuple[str, ...]]:
        return [
            (f"{path.product:.6g}", " · ".join(f"{d:.6g}" for d in path.factors) or "1", " → ".join(path.names))
            for path in self.paths
        ]

    def _sum(self) -> str:
        return f"the sum over {len(self.paths)} path{'s' * (len(self.paths) != 1)}"


def explain(output: Value, wrt: Value) -> Explanation:
    """∂output/∂wrt as the sum, over all paths from one to the other, of the product of the local derivatives.

    The total equals `.grad` up to rounding: here each product is rounded once per factor, and the sum once. A node is
    named by its label, or by its operation if it has none.

    The number of paths can double with every node; a ValueError names it if it exceeds 5,000. A TypeError for what is not
    a Value. An operation that has no derivative at its number raises its own error.

    >>> x = Value(3.0, label="x")
    >>> print(explain(x * x + 2 * x, x))
                 3 = 1 · 3                            | + → * → x
                 3 = 1 · 3                            | + → * → x
                 2 = 1 · 2                            | + → * → x
               8.0 = the sum over 3 paths
    """
    for value, name in ((output, "output"), (wrt, "wrt")):
        if not isinstance(value, Value):
            raise TypeError(f"{describe(value)} arrived as {name}, where one Value was wanted")
    grad(output, wrt)  # raises the error of an operation without a derivative
    counts: dict[Value, Any] = {wrt: 1}
    forward(topological_order(output), counts, lambda node: [1] * len(node.partials))
    count = counts.get(output, 0)
    if count > _MOST_PATHS:
        raise ValueError(
            f"there are {count:,} paths, more than the {_MOST_PATHS:,} that are written out: explain a smaller part, or "
            "take the sum alone with grad"
        )
    paths = list(_paths(output, wrt, counts)) if count else []
    products = [path.product for path in paths]
    return Explanation(paths, math.fsum(products) if all(map(math.isfinite, products)) else sum(products))


def _paths(output: Value, wrt: Value, counts: dict[Value, int]) -> Iterator[PathProduct]:
    """Depth first, by a loop, through the nodes that lead to wrt: those with a count."""
    stack: list[Any] = [(output, None)]  # a node, and its trail: a linked list of (node, partial) up to the output
    while stack:
        node, trail = stack.pop()
        if node is not wrt:
            edges = zip(node.parents, node.partials, strict=True)
            stack += reversed([(parent, (node, partial, trail)) for parent, partial in edges if parent in counts])
            continue
        names, factors = [_name(wrt)], []
        while trail:
            above, partial, trail = trail
            names.append(_name(above))
            factors.append(partial)
        yield PathProduct(names[::-1], factors[::-1], math.prod(factors[::-1]))


def _name(node: Value) -> str:
    return node.label or str(node.op) or "leaf"
