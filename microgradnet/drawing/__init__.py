"""Pictures: a recorded graph or a net as a `graphviz.Digraph`.

The package is read from here downwards. `draw` counts first and then chooses. A graph: `expression` draws every node,
with `net_layout` and `columns` if it has layers; `folding` draws `boxes` for many nodes each, `repetition` the first and
the last time of a loop. A net: `architecture`, with the numbers of a `sample`. All of them get what they know about a
graph from `drawn_graph` and `layers`, write numbers and labels with `text`, and fill a `picture`; `stepping` makes the
live page of a graph, whose operations `javascript` prints, with the steps and formulas of its layers from `layer_steps`.
A compiled function's arrays: `program`. graphviz is imported when something is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from .._validation import describe
from ..compiler import Compiled
from ..costs import Cost, quadratic
from ..nn import MLP, Layer, Neuron
from ..perceptron import Perceptron
from ..value import Operand, Value

if TYPE_CHECKING:
    from .picture import Picture

Drawable: TypeAlias = "Value | Sequence[Value] | MLP | Layer | Neuron | Perceptron | Compiled"


def draw(
    value_or_net: Drawable,
    direction: str | None = None,
    limit: int = 300,
    *,
    x: Sequence[Operand] | None = None,
    r: Operand | Sequence[Operand] | None = None,
    cost: Cost = quadratic,
    edges: str | None = None,
) -> Picture:
    """The picture of a recorded graph, of a net, or of what `compile` made: a `graphviz.Digraph`.

    Of a Value, or of several, the graph that computed it: every node with its operation, its number and, after
    `backward`, its gradient, and every edge with its local derivative. Of a net (`MLP`, `Layer`, `Neuron` or
    `Perceptron`) the neurons in columns, with weights and biases; with a sample, its numbers: draw(net, x=x) shows the
    activations y, draw(net, x=x, r=r, cost=cost) also each neuron's δ = ∂C/∂z, and edges by ∂C/∂a. Numbers are
    rounded; hovering over the SVG shows every digit.

    Of a compiled function, draw(fast), its program as a graph of arrays with their shapes, beside the scalars that they
    stand for: how many weights meet how many vectors.

    direction: of time, "LR" (left to right) or "TB" (top to bottom); by default LR, of a compiled function TB. limit: a
    graph of more nodes, or of more than four times as many edges, is folded, and its caption says how: to a box per
    layer or, where there are none, to the first and the last time of what repeats. x, r: a net's inputs and desired
    outputs; cost: called as cost(outputs, r). edges: "gradients" or "weights" (the only ones without r).

    The result shows itself in a notebook, and has `.render("net.png")`, `.pipe(format="svg")` and
    `.source`; `.steps("steps.html")` writes a page on which the graph computes: with other leaves,
    forward, backward and in forward mode. Rendering takes
    Graphviz's `dot` on the PATH or the extra `dot`; without either it raises an error that says so.

    A TypeError for anything else than Values, nets and compiled functions; a ValueError for an unknown option or a limit below 1; the
    errors of the net and of the cost for a sample that does not fit.

    >>> x = Value(3.0, label="x")
    >>> picture = draw(x * x)
    >>> print(picture.source.count("n0 -> n1"), "edges from x")
    2 edges from x
    """
    if direction is None:
        direction = "TB" if isinstance(value_or_net, Compiled) else "LR"
    if direction not in ("LR", "TB"):
        raise ValueError(f"{describe(direction)} arrived as the direction of time: give 'LR' or 'TB'")
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise ValueError(f"{describe(limit)} arrived as the limit of nodes to draw: give a whole number, at least 1")
    if edges not in (None, "weights", "gradients"):
        raise ValueError(f"{describe(edges)} arrived for edges: give 'weights' or 'gradients'")
    if isinstance(value_or_net, (MLP, Layer, Neuron, Perceptron)):
        return _draw_net(value_or_net, direction, x, r, cost, edges)
    if isinstance(value_or_net, Compiled) and x is None and r is None and edges is None:
        from .program import draw_program

        return draw_program(value_or_net, direction, limit)
    if x is not None or r is not None or edges is not None:
        raise TypeError(
            "x, r and edges are for a net: a recorded graph has its numbers, and a compiled function none: draw it without them"
        )
    return _draw_graph(_values(value_or_net), direction, limit)


def _draw_net(net: Any, direction: str, x: Any, r: Any, cost: Cost, edges: str | None) -> Picture:
    from .architecture import draw_net
    from .sample import run

    if r is not None and x is None:
        raise ValueError("r arrived without x: give the sample's inputs too, draw(net, x=x, r=r)")
    if edges == "gradients" and r is None:
        raise ValueError("edges='gradients' takes a cost: give desired outputs too, draw(net, x=x, r=r)")
    sample = None if x is None else run(net, x, r, cost)
    return draw_net(net, direction, sample, by_gradient=r is not None and edges != "weights")


def _draw_graph(values: list[Value], direction: str, limit: int) -> Picture:
    from .drawn_graph import DrawnGraph
    from .expression import draw_graph
    from .folding import draw_folded
    from .stepping import page

    graph = DrawnGraph(values)
    if len(graph.nodes) > limit or graph.edge_count > 4 * limit:
        return draw_folded(graph, direction, limit)
    play = partial(page, graph.roots[0], direction) if len(graph.roots) == 1 else None
    return draw_graph(graph, direction, play)


def _values(values: Any) -> list[Value]:
    if isinstance(values, Value):
        return [values]
    if isinstance(values, (list, tuple)) and values and all(isinstance(value, Value) for value in values):
        return list(values)
    raise TypeError(
        f"{describe(values)} cannot be drawn: give a Value, a list of Values, a net, or a compiled function"
    )
