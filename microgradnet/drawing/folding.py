"""A recorded graph too large to draw node by node: a box per layer, and a box for what lies between the layers.

Nothing here knows how a net is written: a layer is what `reading` finds. What belongs to no layer is cut where a
layer lies between; a very long run of operations is cut again on its way, and where there are very many boxes,
neighbours share one. So any graph becomes a picture of a readable size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from html import escape

from ..value import Value
from .picture import Picture, literal, picture
from .reading import Layer, Recording
from .text import dot_label, dot_tooltip, exact, plural, short, spread, superscript, width

_MOST_BOXES = 20
_PIECES = 8  # of a very long run of operations
_FONT_SIZE = 11.0
_FILL = {"layer": "#fdf1d3", "inputs": "#e3eefb", "operations": "#ffffff", "result": "#e3f6e5"}

_Row = tuple[str, str, str, str]  # name, size, values, gradients
_Key = tuple[int, int, int]  # where in time, which layer, which piece


@dataclass
class _Box:
    nodes: list[Value] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)


def draw_folded(recording: Recording, direction: str, limit: int) -> Picture:
    """The picture of a recording by layers."""
    boxes = _boxes(recording, limit)
    home = {node: number for number, box in enumerate(boxes) for node in box.nodes}
    caption = [
        f"{plural(len(recording.nodes), 'node')} and {plural(recording.edge_count, 'edge')}: folded by layer.",
        f"Each is drawn up to draw(..., limit={limit}) nodes and four times as many edges.",
    ]
    caption += recording.warnings()
    g = picture(direction, [dot_label([line]) for line in caption], ranksep="0.6")
    for number, box in enumerate(boxes):
        kind, title, groups = _content(recording, box)
        rows, digits = ([_row(recording, *group, form) for group in groups] for form in (short, exact))
        tooltip = [title] + [f"{name}: {data}" + (f", grad {grad}" if grad else "") for name, _, data, grad in digits]
        g.node(f"box{number}", _table(title, _FILL[kind], rows), shape="plain", tooltip=literal(dot_tooltip(tooltip)))
    crossing: dict[tuple[int, int], set[Value]] = {}
    for node in recording.order:
        head = home[node]
        for parent in node.parents:
            if home[parent] != head:
                crossing.setdefault((home[parent], head), set()).add(parent)
    for (tail, head), values in sorted(crossing.items()):
        words = plural(len(values), "value")
        g.edge(f"box{tail}", f"box{head}", words, tooltip=words, penwidth="1.5")
    return g.drawn()


def _boxes(recording: Recording, limit: int) -> list[_Box]:
    member: dict[Value, int] = {}
    for i, layer in enumerate(recording.layers):
        member.update(dict.fromkeys(layer.parameters, i))
        for call in layer.calls:
            member.update(dict.fromkeys([*call.z, *call.y.values()], i))
    depth: dict[Value, int] = {}  # how many layers lie before a node
    run: dict[Value, int] = {}  # how many operations since the last of them
    start: dict[int, int] = {}  # of a layer: the depth of its first call
    longest: dict[int, int] = {}
    count: dict[int, int] = {}
    for node in recording.order:
        before = max([depth.get(parent, 0) for parent in node.parents])
        if node in member:
            depth[node] = before + (type(node.first) is tuple)
            start.setdefault(member[node], depth[node])
        else:
            depth[node] = before
            run[node] = 1 + max([run.get(p, 0) if depth.get(p) == before else 0 for p in node.parents])
            longest[before] = max(longest.get(before, 0), run[node])
            count[before] = count.get(before, 0) + 1

    def key(node: Value) -> _Key:
        if node in member:
            return 3 * start[member[node]], member[node], 0
        d = depth[node]
        return 3 * d + 1, -1, _PIECES * (run[node] - 1) // longest[d] if count[d] > limit else 0

    keys: dict[Value, _Key] = {}
    for node in recording.order:
        keys[node] = place = key(node)
        for parent in node.parents:
            if parent.first is None and parent not in keys:  # a leaf goes with its first use, inputs to their own box
                is_input = type(node.first) is tuple and parent not in member
                keys[parent] = key(parent) if parent in member else (place[0] - 1, place[1], 0) if is_input else place
    boxes: dict[_Key, _Box] = {}
    for node in recording.nodes:
        boxes.setdefault(keys.get(node, (0, -1, 0)), _Box()).nodes.append(node)
    for i, layer in enumerate(recording.layers):
        boxes[3 * start[i], i, 0].layers.append(layer)
    ordered = [boxes[place] for place in sorted(boxes)]
    share = -(-len(ordered) // _MOST_BOXES)
    return [_merged(ordered[i : i + share]) for i in range(0, len(ordered), share)] if share > 1 else ordered


def _merged(boxes: list[_Box]) -> _Box:
    return _Box([node for box in boxes for node in box.nodes], [layer for box in boxes for layer in box.layers])


# What stands in a box.


def _content(recording: Recording, box: _Box) -> tuple[str, str, list[tuple[str, str, list[Value]]]]:
    """Its kind, its title, and its rows: a name, a size, and the nodes."""
    inside = set(box.nodes)
    roots = [root for root in recording.roots if root in inside]
    results = [(recording.name(root) or root.op or "result", "", [root]) for root in roots[:3]]
    if len(box.layers) == 1:
        (layer,) = box.layers
        return "result" if roots else "layer", _layer_title(layer), _layer_rows(layer) + results
    kinds: dict[str, list[Value]] = {}
    for node in box.nodes:
        kinds.setdefault(node.op if node.first is not None else recording.kind(node), []).append(node)
    if box.layers:
        names = sorted({layer.number for layer in box.layers})
        title = f"layers {names[0]} to {names[-1]}" if names[0] else plural(len(box.layers), "layer")
        kind = "layer"
    elif all(node.first is None for node in box.nodes):
        kind, title = "inputs", plural(len(box.nodes), "input")
    else:
        kind = "operations"
        title = plural(sum(node.first is not None for node in box.nodes), "operation")
    if roots:
        kind, title = "result", ": ".join([*[name for name, _, _ in results], title])
    rows = [("x" if name == "input" else name, f"{len(nodes):,}", nodes) for name, nodes in kinds.items()]
    return kind, title, results + rows


def _layer_title(layer: Layer) -> str:
    call = layer.calls[0]
    activations = dict.fromkeys(y.op for y in call.y.values())
    words = [f"{layer}: {plural(len(call.z), 'neuron')}", *activations]
    return ", ".join(words + ([plural(len(layer.calls), "call")] if len(layer.calls) > 1 else []))


def _layer_rows(layer: Layer) -> list[tuple[str, str, list[Value]]]:
    q = f"⁽{superscript(layer.number)}⁾" if layer.number else ""
    z = [z for call in layer.calls for z in call.z]
    y = [y for call in layer.calls for y in call.y.values()]
    biases = list(dict.fromkeys(node.first[-1] for node in z))
    weights = list(dict.fromkeys(w for node in z for w in node.first[:-1]))
    widths = {len(node.second) for node in z}
    shape = f"{len(biases)} × {widths.pop()}" if len(widths) == 1 else f"{len(weights):,}"
    rows = [(f"A{q}", shape, weights), (f"b{q}", f"{len(biases):,}", biases), (f"z{q}", f"{len(z):,}", z)]
    return rows + ([(f"y{q}", f"{len(y):,}", y)] if y else [])


def _row(recording: Recording, name: str, size: str, nodes: list[Value], form: Callable[[float], str]) -> _Row:
    gradients = spread([recording.gradients[node] for node in nodes if node in recording.gradients], form)
    if gradients and recording.gradient_name(nodes[0]) == "δ":
        gradients = f"δ: {gradients}"
    return name, size, spread([node.data for node in nodes], form), gradients


def _table(title: str, fill: str, rows: list[_Row]) -> str:
    """An HTML-like label. Its cells have our widths, see `text.width`, and those of renderers that count bytes."""
    head = ("", "", "data", "grad" if any(row[3] for row in rows) else "")
    widths = [max([_cell_width(row[i]) for row in [head, *rows]]) for i in range(4)]
    widths[3] = max(widths[3], width(title, _FONT_SIZE) * 1.1 + 16.0 - sum(widths[:3]))

    def line(cells: Iterable[str], color: str) -> str:
        fixed = [
            f'<td align="left" fixedsize="true" width="{w:.0f}" height="17"><font color="{color}">&#160;{escape(cell)}'
            "</font></td>"
            for cell, w in zip(cells, widths, strict=True)
        ]
        return f"<tr>{''.join(fixed)}</tr>"

    return (
        f'<<table border="1" cellborder="0" cellspacing="0" cellpadding="3" style="rounded" bgcolor="{fill}" '
        f'color="#777777"><tr><td colspan="4" align="left"><b>{escape(title)}</b></td></tr>'
        f"{line(head, '#777777')}{''.join(line(row, '#000000') for row in rows)}</table>>"
    )


def _cell_width(cell: str) -> float:
    return 14.0 + max(width(cell, _FONT_SIZE), 0.3 * _FONT_SIZE * len(cell.encode()))  # or text leaves its cell
