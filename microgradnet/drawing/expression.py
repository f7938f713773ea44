"""A recorded graph in full: every node with its number and gradient, every edge with its local derivative.

Graphviz lays out an expression. It would not keep the neurons of a net in order, so a graph with layers gets its
layout from `net_layout`.
"""

from __future__ import annotations

from collections.abc import Callable

from ..value import Value
from .columns import Edge, Size, graph_edges
from .drawn_graph import DrawnGraph
from .net_layout import NetLayout
from .picture import Picture, literal, picture
from .text import dot_label, dot_tooltip, exact, short, shown, width

_ELLIPSE = {"shape": "ellipse", "fillcolor": "#e3eefb", "color": "#2b6cb0"}
_SHAPES = {  # told apart by shape first: (words of the legend, attributes)
    "input": ("ellipse: input", _ELLIPSE),
    "variable": ("ellipse: variable", _ELLIPSE),
    "parameter": ("rounded: parameter", {"style": "rounded,filled", "fillcolor": "#fdf1d3", "color": "#b7791f"}),
    "constant": ("dashed: constant", {"style": "dashed,filled", "fillcolor": "#f4f4f4"}),
    "operation": ("box: operation", {}),
}
_RESULT = ("double frame: result", {"peripheries": "2", "fillcolor": "#e3f6e5", "color": "#2f7d3b"})
_LONG = 2500  # columns crossed by all edges together, a second of layout
_LINE = 14.0  # points from line to line of a node's label
LIVE_LINE = 14.0  # on the live page


def draw_graph(graph: DrawnGraph, direction: str, play: Callable[[], str] | None = None, live: bool = False) -> Picture:
    """The picture of all nodes of a graph. play: see `Picture`; live: the live page's, with room for any number."""
    if live:
        sizes = {node: _live_size(graph, node) for node in graph.nodes}
    else:
        sizes = {node: _size(graph.kind(node), _lines(graph, node)) for node in graph.nodes}
    edges = graph_edges(graph)
    layout = NetLayout(graph, sizes, edges, direction, live) if graph.layers else None
    g = picture(direction, _legend(graph), play, **(layout.attributes if layout else _attributes(graph)))
    framed: set[Value] = set()
    for number, frame in enumerate(layout.frames if layout else []):
        with g.subgraph(name=f"cluster_{number}", graph_attr=frame.attributes) as cluster:
            for node in frame.nodes:
                add_node(cluster, graph, node, sizes[node], layout)
        framed.update(frame.nodes)
    for node in graph.nodes:
        if node not in framed:
            add_node(g, graph, node, sizes[node], layout)
    pad = 10 * " " if live else "  " if direction == "TB" else ""
    for number, edge in enumerate(edges):
        add_edge(g, graph, edge, pad, id=f"edge{number}", **(layout.edge(edge) if layout else {}))
    return g.drawn()


def add_node(
    g: Picture, graph: DrawnGraph, node: Value, size: Size | None = None, layout: NetLayout | None = None
) -> None:
    """Draw one node."""
    look = _SHAPES[graph.kind(node)][1] | (_RESULT[1] if graph.is_result(node) else {})
    lines = _lines(graph, node)
    w, h = size or _size(graph.kind(node), lines)
    g.node(
        graph.names[node],
        literal(dot_label(lines)),
        **{"shape": "box", "fixedsize": "true", "width": f"{w / 72:.3f}", "height": f"{h / 72:.3f}"} | look,
        tooltip=literal(dot_tooltip(_tooltip(graph, node))),
        **(layout.node(node) if layout else {}),
    )


def add_edge(
    g: Picture, graph: DrawnGraph, edge: Edge, pad: str = "", tail: str | None = None, **attributes: str
) -> None:
    """Draw one edge, its local derivative beside it. tail: the name of a box that its tail is in."""
    tooltip = literal(dot_tooltip([f"{_slope(graph, edge)} = {exact(edge.derivative)}"]))
    written = f"{pad}{short(edge.derivative)}{pad}"
    g.edge(
        tail or graph.names[edge.tail],
        graph.names[edge.head],
        written,
        tooltip=tooltip,
        labeltooltip=tooltip,
        **attributes,
    )


def _lines(graph: DrawnGraph, node: Value) -> list[str]:
    name = graph.name(node)
    lines = [str(node.op)] if node.parents else []
    lines.append(f"{name} = {graph.number(node)}" if name else graph.number(node))
    if node in graph.gradients:
        lines.append(f"{graph.gradient_name(node)} = {short(graph.gradients[node])}")
    return lines


def _tooltip(graph: DrawnGraph, node: Value) -> list[str]:
    name = shown(node.label) or graph.name(node)
    what = str(node.op) if node.parents else graph.kind(node)
    lines = [f"{name}: {what}" if name else what, f"data = {exact(node.data)}"]
    gradient = graph.gradients.get(node)
    return lines if gradient is None else [*lines, f"grad = {exact(gradient)}"]


def _slope(graph: DrawnGraph, edge: Edge) -> str:
    head, tail = (graph.name(node) or f"({node.op})" for node in (edge.head, edge.tail))
    return f"∂{head}/∂{tail}"


def _live_size(graph: DrawnGraph, node: Value) -> Size:
    """A line each for operation, name, number and gradient, which may become any number."""
    lines = [line for line in (str(node.op) if node.parents else "", graph.name(node)) if line]
    lines += ["−0.001234"] + (["δ −0.001234"] if node in graph.gradients else [])
    w, h = max(width(line, 12.0) for line in lines) + 3.0, len(lines) * LIVE_LINE + 4.0
    rim = 8.0 if graph.is_result(node) else 0.0
    rim += 12.0 if graph.kind(node) in ("input", "variable") else 0.0
    return w + rim, h + rim


def _size(kind: str, lines: list[str]) -> Size:
    w, h = max(width(line, 11.0) for line in lines) + 12.0, len(lines) * _LINE + 2.0
    if kind in ("input", "variable"):  # the ellipse around the text
        w, h = 1.2 * w + 4.0, 1.35 * h + 4.0
    return max(w, 36.0), h


def _attributes(graph: DrawnGraph) -> dict[str, str]:
    """For Graphviz's layout: straight edges where many are long, for curves among them would take it minutes."""
    rank: dict[Value, int] = {}
    for node in reversed(graph.order):
        for parent in node.parents:
            rank[parent] = max(rank.get(parent, 0), rank.get(node, 0) + 1)
    length = sum(rank[parent] - rank.get(node, 0) for node in graph.order for parent in node.parents)
    return {"nodesep": "0.15", "ranksep": "0.3"} | ({"splines": "line", "nslimit": "2"} if length > _LONG else {})


def _legend(graph: DrawnGraph) -> list[str]:
    kinds = {graph.kind(node) for node in graph.nodes}
    words = [words for kind, (words, _) in _SHAPES.items() if kind in kinds] + [_RESULT[0]]
    if graph.order:
        words.append("on edges: local derivative")
    return [" · ".join(words[i : i + 3]) for i in range(0, len(words), 3)] + graph.warnings()
