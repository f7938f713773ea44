"""A recorded graph in full: every node with its number and gradient, every edge with its local derivative.

Graphviz lays out an expression. The graph of a net it would not keep in order, so there `columns` says where all goes.
"""

from __future__ import annotations

from collections.abc import Callable

from ..value import Value
from .columns import Columns, Edge, Size
from .picture import Picture, literal, picture
from .reading import Recording, local_derivatives
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
_LONG = 600  # columns crossed by all edges together
_LINE = 14.0  # points from line to line of a node's label


def draw_graph(
    recording: Recording, direction: str, play: Callable[[], str] | None = None, roomy: bool = False
) -> Picture:
    """The picture of all nodes of a recording. play: see `Picture`; roomy: with room for longer numbers than these."""
    names = node_names(recording)
    lines = {node: _lines(recording, node) for node in recording.nodes}
    sizes = {node: _size(recording.kind(node), lines[node], roomy) for node in recording.nodes}
    edges = graph_edges(recording)
    in_layers = any(layer.number for layer in recording.layers)
    columns = Columns(recording, sizes, edges, direction, roomy) if in_layers else None

    g = picture(
        direction,
        _legend(recording),
        play,
        **(columns.graph if columns else {"nodesep": "0.15", "ranksep": "0.3"} | _effort(recording)),
    )

    def add(to: Picture, node: Value) -> None:
        look = _SHAPES[recording.kind(node)][1] | (_RESULT[1] if recording.is_result(node) else {})
        w, h = sizes[node]
        to.node(
            names[node],
            literal(dot_label(lines[node])),
            **{"shape": "box", "fixedsize": "true", "width": f"{w / 72:.3f}", "height": f"{h / 72:.3f}"} | look,
            tooltip=literal(dot_tooltip(_tooltip(recording, node))),
            **(columns.node(node) if columns else {}),
        )

    pad = 10 * " " if roomy else "  " if direction == "TB" else ""
    framed: set[Value] = set()
    for number, frame in enumerate(columns.frames if columns else []):
        with g.subgraph(name=f"cluster_{number}", graph_attr=frame.attributes) as cluster:
            for node in frame.nodes:
                add(cluster, node)
        framed.update(frame.nodes)
    for node in recording.nodes:
        if node not in framed:
            add(g, node)
    for number, edge in enumerate(edges):
        tooltip = literal(dot_tooltip([f"{_slope(recording, edge)} = {exact(edge.derivative)}"]))
        g.edge(
            names[edge.tail],
            names[edge.head],
            f"{pad}{short(edge.derivative)}{pad}",
            id=f"edge{number}",
            tooltip=tooltip,
            labeltooltip=tooltip,
            **(columns.edge(edge) if columns else {}),
        )
    return g.drawn()


def node_names(recording: Recording) -> dict[Value, str]:
    """The name of each node in the DOT source: n0, n1 … in the engine's order."""
    return {node: f"n{i}" for i, node in enumerate(recording.nodes)}


def graph_edges(recording: Recording) -> list[Edge]:
    """All edges, in the engine's order, each node's operands in theirs: x*x has two."""
    return [
        Edge(parent, node, place, derivative)
        for node in recording.order
        for place, (parent, derivative) in enumerate(zip(node.parents, local_derivatives(node), strict=True))
    ]


def _lines(recording: Recording, node: Value) -> list[str]:
    name = recording.name(node)
    lines = [str(node.op)] if node.first is not None else []
    lines.append(f"{name} = {short(node.data)}" if name else short(node.data))
    if node in recording.gradients:
        lines.append(f"{recording.gradient_name(node)} = {short(recording.gradients[node])}")
    return lines


def _tooltip(recording: Recording, node: Value) -> list[str]:
    name = shown(node.label) or recording.name(node)
    what = recording.kind(node) if node.first is None else node.op
    lines = [f"{name}: {what}" if name else str(what), f"data = {exact(node.data)}"]
    gradient = recording.gradients.get(node)
    return lines if gradient is None else [*lines, f"grad = {exact(gradient)}"]


def _slope(recording: Recording, edge: Edge) -> str:
    head, tail = (recording.name(node) or f"({node.op})" for node in (edge.head, edge.tail))
    return f"∂{head}/∂{tail}"


def _size(kind: str, lines: list[str], roomy: bool) -> Size:
    w, h = max(width(line, 11.0) for line in lines) + (30.0 if roomy else 12.0), len(lines) * _LINE + 2.0
    if kind in ("input", "variable"):  # the ellipse around the text
        w, h = 1.2 * w + 4.0, 1.35 * h + 4.0
    return max(w, 36.0), h


def _effort(recording: Recording) -> dict[str, str]:
    """Straight edges where many are long: among them Graphviz looks for its curves for minutes."""
    rank: dict[Value, int] = {}
    for node in reversed(recording.order):
        for parent in node.parents:
            rank[parent] = max(rank.get(parent, 0), rank.get(node, 0) + 1)
    length = sum(rank[parent] - rank.get(node, 0) for node in recording.order for parent in node.parents)
    return {"splines": "line", "nslimit": "2"} if length > _LONG else {}


def _legend(recording: Recording) -> list[str]:
    kinds = {recording.kind(node) for node in recording.nodes}
    words = [words for kind, (words, _) in _SHAPES.items() if kind in kinds] + [_RESULT[0]]
    if recording.order:
        words.append("on edges: local derivative")
    lines = [" · ".join(words[i : i + 3]) for i in range(0, len(words), 3)]
    lines += recording.warnings()
    return [dot_label([line]) for line in lines]
