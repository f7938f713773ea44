"""From the array graph of a cost to that of its gradient: the reverse sweep, with the table's rules on arrays."""

from __future__ import annotations

from operator import attrgetter
from typing import Any, NamedTuple

from ..graph import depth_first, reverse
from . import array_graph as arrays
from .array_graph import Array, ArrayGraph, Linear, Parts


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
    leading = {theta}  # to the parameters: nobody asks for other derivatives
    for node in order:
        if not leading.isdisjoint(node.parents):
            leading.add(node)

    def partials(node: Array) -> list[Any]:
        maps = arrays.partials(node)
        return [one if parent in leading else _NOTHING for parent, one in zip(node.parents, maps, strict=True)]

    adjoints: dict[Array, Any] = {cost: graph.uniform(cost.shape, 1.0, not cost.shape.varies)}
    reverse([node for node in order if node in leading and node is not theta], adjoints, partials)
    whole = adjoints.get(theta, 0.0)
    parts = [(slots, array) for slots, array in whole.parts if slots is not None] if isinstance(whole, Parts) else []
    parts.sort(key=lambda part: -max(part[0]))  # last layer first, as the sweep goes
    mean = graph.node(arrays.total, (cost,), cost.shape._replace(varies=False), 1.0)
    return Gradient(
        mean, parts, {a: d.together() if isinstance(d, Parts) else d for a, d in adjoints.items() if a is not theta}
    )


_NOTHING = Linear(lambda adjoint: 0.0)
