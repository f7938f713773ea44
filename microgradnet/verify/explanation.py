"""`explain`: a derivative written out as the sum over paths that it is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple

from .._validation import describe
from ..derivatives import grad
from ..graph import forward, topological_order
from ..value import Value

_MOST_PATHS = 5000
_recorded = attrgetter("partials")  # a node's local derivatives, as numbers


class Path(NamedTuple):
    """One path from the output down to a value: its names, the local derivatives along it, and their product."""

    names: list[str]
    factors: list[float]
    product: float


@dataclass(frozen=True)
class Explanation:
    """What `explain` gives: `paths`, and their `total`; as a str, a line for each path and the sum at the bottom."""

    paths: list[Path]
    total: float

    def __str__(self) -> str:
        lines = [
            f"{path.product:>14.6g} = {' · '.join(f'{d:.6g}' for d in path.factors) or '1':<32} {' → '.join(path.names)}"
            for path in self.paths
        ]
        return "\n".join([*lines, f"{self.total!r:>14} = the sum over {len(lines)} path{'s' * (len(lines) != 1)}"])


def explain(output: Value, wrt: Value) -> Explanation:
    """∂output/∂wrt as the sum, over all paths from one to the other, of the product of the local derivatives.

    The sum at the bottom equals `.grad` up to the roundings of either (here each product is rounded once a factor, and
    their sum once). A node goes by its label, or else by its operation.

    A ValueError with the number of paths if there are more than 5,000: their number can double with every node. A
    TypeError for what is not a Value; the error of an operation that has no derivative at its number.

    >>> x = Value(3.0, label="x")
    >>> print(explain(x * x + 2 * x, x))
                 3 = 1 · 3                            + → * → x
                 3 = 1 · 3                            + → * → x
                 2 = 1 · 2                            + → * → x
               8.0 = the sum over 3 paths
    """
    for value, name in ((output, "output"), (wrt, "wrt")):
        if not isinstance(value, Value):
            raise TypeError(f"{describe(value)} arrived as {name}, where one Value was wanted")
    grad(output, wrt)  # raises what a missing derivative has to raise
    counts: dict[Value, Any] = {wrt: 1}
    forward(topological_order(output), counts, lambda node: [1] * len(node.partials))
    number = counts.get(output, 0)
    if number > _MOST_PATHS:
        raise ValueError(
            f"there are {number:,} paths, more than the {_MOST_PATHS:,} that are written out: explain a smaller part, or "
            "take the sum alone with grad"
        )
    paths = list(_paths(output, wrt, counts)) if number else []
    products = [path.product for path in paths]
    return Explanation(paths, math.fsum(products) if all(map(math.isfinite, products)) else sum(products))


def _paths(output: Value, wrt: Value, counts: dict[Value, int]) -> Iterator[Path]:
    """Depth-first, a loop; only nodes with a count lead to wrt. A trail is a linked list back up to the output."""
    stack: list[Any] = [(output, None)]
    while stack:
        node, trail = stack.pop()
        if node is not wrt:
            below = zip(node.parents, node.partials, strict=False)
            stack += reversed([(parent, (node, partial, trail)) for parent, partial in below if parent in counts])
            continue
        names, factors = [_name(wrt)], []
        while trail:
            above, partial, trail = trail
            names.append(_name(above))
            factors.append(partial)
        yield Path(names[::-1], factors[::-1], math.prod(factors[::-1]))


def _name(node: Value) -> str:
    return node.label or str(node.op) or "leaf"
