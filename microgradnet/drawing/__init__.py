"""Pictures: a recorded graph or a net as a `graphviz.Digraph`.

The package is read from here downwards. `draw` counts first and then chooses: `expression` draws every node, with
`columns` for the layout of nets, `folding` draws a box per layer, `architecture` the net itself. All of them get what
they know about a graph from `reading`, write numbers and labels with `text`, and fill a `picture`; `stepping` makes
the page that plays the passes. graphviz is imported when something is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from .._validation import describe
from ..nn import MLP, Layer, Neuron
from ..perceptron import Perceptron
from ..value import Value

if TYPE_CHECKING:
    from .picture import Picture

Drawable: TypeAlias = "Value | Sequence[Value] | MLP | Layer | Neuron | Perceptron"


def draw(value_or_net: Drawable, direction: str = "LR", limit: int = 300) -> Picture:
    """The picture of a recorded graph, or of a net: a `graphviz.Digraph`.

    Of a Value, or of several, the graph that computed it: every node with its operation, its number and, after
    `backward`, its gradient, and every edge with its local derivative. Of a net (`MLP`, `Layer`, `Neuron` or
    `Perceptron`) the neurons in columns, with weights and biases. Numbers are rounded; hovering over the SVG shows
    every digit.

    direction: of time, "LR" (left to right) or "TB" (top to bottom). limit: a graph of more nodes, or of more than
    four times as many edges, is folded to a box per layer, and its caption says so.

    The result shows itself in a notebook, and has `.render(name, format="png")`, `.pipe(format="svg")` and
    `.source`; `.steps("steps.html")` writes a page that plays the forward and the backward pass. Rendering takes
    Graphviz's `dot` on the PATH or the extra `dot`; without either it raises an error that says so.

    A TypeError for anything else than Values and nets; a ValueError for an unknown direction or a limit below 1.

    >>> x = Value(3.0, label="x")
    >>> picture = draw(x * x)
    >>> print(picture.source.count("n0 -> n1"), "edges from x")
    2 edges from x
    """
    if direction not in ("LR", "TB"):
        raise ValueError(f"{describe(direction)} arrived where the direction of time was wanted: 'LR' or 'TB'")
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise ValueError(
            f"{describe(limit)} arrived where the most nodes to draw was wanted: a whole number, at least 1"
        )
    if isinstance(value_or_net, (MLP, Layer, Neuron, Perceptron)):
        from .architecture import draw_net

        return draw_net(value_or_net, direction)
    from .drawn_graph import DrawnGraph
    from .expression import draw_graph
    from .folding import draw_folded
    from .stepping import page

    graph = DrawnGraph(_values(value_or_net))
    if len(graph.nodes) > limit or graph.edge_count > 4 * limit:
        return draw_folded(graph, direction, limit)
    play = partial(page, graph.roots[0], direction) if len(graph.roots) == 1 else None
    return draw_graph(graph, direction, play)


def _values(values: Value | Sequence[Value]) -> list[Value]:
    if isinstance(values, Value):
        return [values]
    if isinstance(values, (list, tuple)) and values and all(isinstance(value, Value) for value in values):
        return list(values)
    raise TypeError(f"{describe(values)} arrived where something to draw was wanted: a Value, a list of them, or a net")
