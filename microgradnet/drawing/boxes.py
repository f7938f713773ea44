"""A box that stands for many nodes: a title, and a row for each kind of them with the ranges of their numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from html import escape

from ..graph import dot_parts
from ..value import Value
from .drawn_graph import STALE, DrawnGraph
from .layers import LayerNodes
from .picture import Picture, literal
from .text import dot_tooltip, exact, plural, short, spread, superscript, width

_FONT_SIZE = 11.0
_FILL = {"layer": "#fdf1d3", "inputs": "#e3eefb", "operations": "#ffffff", "result": "#e3f6e5"}
_MOST_RESULTS = 3  # of a box, in rows of their own

_Group = tuple[str, str, list[Value]]  # name, size, nodes
_Row = tuple[str, str, str, str]  # name, size, values, gradients


@dataclass
class Box:
    """What is folded into one box. layers: those whose nodes are all in it."""

    nodes: list[Value] = field(default_factory=list)
    layers: list[LayerNodes] = field(default_factory=list)


def add_box(g: Picture, name: str, graph: DrawnGraph, box: Box, title: str | None = None) -> None:
    """Draw a box. title: instead of one that says what is in it."""
    kind, own_title, groups = _content(graph, box)
    title = title or own_title
    rows, digits = ([_row(graph, *group, form) for group in groups] for form in (short, exact))
    tooltip = [title] + [f"{name}: {data}" + (f", grad {grad}" if grad else "") for name, _, data, grad in digits]
    g.node(name, _table(title, _FILL[kind], rows), shape="plain", tooltip=literal(dot_tooltip(tooltip)))


def _content(graph: DrawnGraph, box: Box) -> tuple[str, str, list[_Group]]:
    """Its kind, its title, and the groups of its nodes."""
    inside = set(box.nodes)
    roots = [root for root in graph.roots if root in inside]
    results = [(graph.name(root) or str(root.op) or "result", "", [root]) for root in roots[:_MOST_RESULTS]]
    if len(box.layers) == 1:
        (layer,) = box.layers
        return "result" if roots else "layer", _layer_title(layer), _layer_groups(layer) + results
    if box.layers:
        numbers = [layer.number for layer in box.layers]
        kind, title = "layer", f"layers {min(numbers)} to {max(numbers)}"
    elif any(node.parents for node in box.nodes):
        kind, title = "operations", plural(sum(bool(node.parents) for node in box.nodes), "operation")
    else:
        kind, title = "inputs", plural(len(box.nodes), "input")
    if roots:
        kind, title = "result", ": ".join([*[name for name, _, _ in results], title])
    kinds: dict[str, list[Value]] = {}
    for node in box.nodes:
        kinds.setdefault(str(node.op) if node.parents else graph.kind(node), []).append(node)
    groups = [("x" if name == "input" else name, f"{len(nodes):,}", nodes) for name, nodes in kinds.items()]
    return kind, title, results + groups


def _layer_title(layer: LayerNodes) -> str:
    call = layer.calls[0]
    activations = dict.fromkeys(str(y.op) for y in call.y.values())
    words = [f"{layer}: {plural(len(call.z), 'neuron')}", *activations]
    return ", ".join(words + ([plural(len(layer.calls), "call")] if len(layer.calls) > 1 else []))


def _layer_groups(layer: LayerNodes) -> list[_Group]:
    q = f"⁽{superscript(layer.number)}⁾"
    z = [z for call in layer.calls for z in call.z]
    y = [y for call in layer.calls for y in call.y.values()]
    parts = [dot_parts(node) for node in z]
    biases = list(dict.fromkeys(bias for _, _, bias in parts))
    weights = list(dict.fromkeys(w for row, _, _ in parts for w in row))
    widths = {len(row) for row, _, _ in parts}
    shape = f"{len(biases)} × {widths.pop()}" if len(widths) == 1 else f"{len(weights):,}"
    groups = [(f"A{q}", shape, weights), (f"b{q}", f"{len(biases):,}", biases), (f"z{q}", f"{len(z):,}", z)]
    return groups + ([(f"y{q}", f"{len(y):,}", y)] if y else [])


def _row(graph: DrawnGraph, name: str, size: str, nodes: list[Value], form: Callable[[float], str]) -> _Row:
    gradients = spread([graph.gradients[node] for node in nodes if node in graph.gradients], form)
    if gradients and graph.gradient_name(nodes[0]) == "δ":
        gradients = f"δ: {gradients}"
    mark = "" if graph.stale.isdisjoint(nodes) else f" {STALE}"
    return name, size, spread([node.data for node in nodes], form) + mark, gradients


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
        f"{line(head, '#777777')}{''.join(line(row, '#000000') for row in rows)}"
        '<tr><td colspan="4" fixedsize="true" height="5"></td></tr></table>>'
    )


def _cell_width(cell: str) -> float:
    return 14.0 + max(width(cell, _FONT_SIZE), 0.3 * _FONT_SIZE * len(cell.encode()))  # or text leaves its cell
